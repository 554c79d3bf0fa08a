"""Screens for those who run the product: what proves the record, and what keeps it going."""
