"""Who may call: the keys of the API, and the last calls."""
