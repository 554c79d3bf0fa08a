"""Writes many entries at once: batches of runs, opening balances, traces and the demo world."""
