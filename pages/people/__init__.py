"""People: who may use the dashboard, and what each person may do."""
