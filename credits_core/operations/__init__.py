"""Keeps the product running: jobs, backups, and what is wrong now."""
