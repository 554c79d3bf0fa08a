"""What providers report about a run, read into its usage. Pure."""
