"""Who acts on the dashboard. Without sign-in that is the operator of this machine."""

from credits_core.values.roles import Actor, Way, operator


def actor() -> Actor:
    """Who acts now: everything that a screen does or shows for somebody asks this, at each run of the screen."""
    return operator(Way.DASHBOARD)
