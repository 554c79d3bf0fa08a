"""The only writer of entries and balances: actions, movements, receipts, and reading single entries."""
