"""What keeps the product going by itself: jobs, who runs them, and backups that are proved."""
