"""Made-up runs under a price plan."""
