"""The start page: how to begin with an empty database, and everybody's first three minutes with the product."""
