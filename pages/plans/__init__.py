"""Price plans: the pricing lab and the comparison of two plans."""
