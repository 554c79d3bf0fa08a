"""Prices made-up runs under a price plan. Pure."""
