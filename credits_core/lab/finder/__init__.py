"""Finds price plans: what may move, what must hold, what counts, and which plans are best on a history. Pure."""
