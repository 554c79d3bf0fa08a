"""Usage of other systems: brought in, looked at, deleted."""
