"""Proves the ledger: one function per invariant, and explanations that compute again."""
