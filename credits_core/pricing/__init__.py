"""What a run costs and why. Pure."""
