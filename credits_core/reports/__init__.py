"""Sums for people: by day, user, creator and prompt."""
