"""Looking: overview, balances, history and creators' earnings."""
