"""For engineers: keys, examples and calls of the API."""
