"""Screens about people: who may do what, what waits for a second person, and what was changed."""
