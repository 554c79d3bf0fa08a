"""Follows one payment step by step, and compares the gateway's books with what it told us."""

from pages.money import reconciliation, steps
from pages.parts import head, links, pick

ABOUT = """
*Step by step* shows after each of the gateway's events who has the money and what has become of every credit.
*Reconciliation* compares the gateway's own books with what it told us, day by day, and mends what does not match.
"""
STEPS, RECONCILIATION = "Step by step", "Reconciliation"

with head.line("Payments", "Follow a payment, and compare with the gateway's books.", about=ABOUT):
    pass
links.follow_link("purchase", "view")
view = pick.one("View", (STEPS, RECONCILIATION), key="view", is_labelled=False)
if view == RECONCILIATION:
    reconciliation.draw()
else:
    steps.draw()
