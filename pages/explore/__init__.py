"""Screens that only show: overview, balances, history and creators' earnings."""
