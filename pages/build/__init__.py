"""For developers: API keys, examples and calls."""
