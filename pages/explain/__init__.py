"""Explains one charge step by step."""
