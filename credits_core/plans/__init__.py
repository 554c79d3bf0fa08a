"""Price plans in the database: drafts, activations, and the current price book."""
