"""Screens that change the ledger: add credits and run prompts."""
