"""Prices the recorded history again under another price plan. Pure."""
