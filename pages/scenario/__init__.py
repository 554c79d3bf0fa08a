"""Made-up runs under a plan."""
