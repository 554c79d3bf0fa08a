"""AI models: what they cost, which are offered, and the versions of the price list."""
