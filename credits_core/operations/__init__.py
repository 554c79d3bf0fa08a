"""What keeps the product going by itself: jobs, who runs them, backups that are proved, and what is wrong now."""
