"""Many rows at once: batches, imports, traces and the demo world."""
