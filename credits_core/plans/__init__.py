"""Price plans in the database: drafts, activations, and the price book of the moment."""
