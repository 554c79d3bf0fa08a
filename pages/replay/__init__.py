"""Replays history under another plan."""
