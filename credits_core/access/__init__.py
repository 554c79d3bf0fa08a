"""Who may call the API: its keys, and the last calls."""
