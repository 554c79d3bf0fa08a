"""History again under another price plan."""
