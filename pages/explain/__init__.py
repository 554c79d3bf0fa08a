"""One charge, step by step."""
