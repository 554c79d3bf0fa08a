"""History again under another plan."""
