"""The only writer of entries and balances: actions, movements and receipts. Also reads entries and accounts."""
