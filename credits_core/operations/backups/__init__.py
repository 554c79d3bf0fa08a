"""Backups of the ledger: made while charges go on, restored in a drill before they are called good."""
