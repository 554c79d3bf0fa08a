"""Checks a price plan: its curve, hidden problems, and fixes. Pure."""
