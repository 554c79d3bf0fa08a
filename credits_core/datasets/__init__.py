"""Usage brought in from elsewhere: kept as Parquet beside the ledger, never in it, and made into runs for the lab."""
