"""Scratch ledgers: copies to try things on, which are thrown away."""
