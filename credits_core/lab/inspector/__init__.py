"""What a price plan does to whom: its curve, what is wrong with it, and fixes."""
