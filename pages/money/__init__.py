"""Screens on which users buy credits: packs, the sandbox's checkout, and what became of each payment."""
