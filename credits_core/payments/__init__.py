"""Purchases through a gateway: packs, checkouts, what the gateway says, and whether its books agree with ours."""
