"""The guide in the dashboard: `docs/guide` a page at a time, with its pictures."""
