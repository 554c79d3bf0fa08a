"""Who acts on the dashboard: somebody who signed in, or without sign-in the operator of this machine."""

from credits_core.values.roles import Actor
from pages.parts import resources, visitor


def actor() -> Actor:
    """Who acts now: everything that a screen does or shows for somebody asks this, at each run of the screen.

    Whoever is not let in any more may do nothing. Asks the database when the last look is too old, so call it outside
    a unit of work.
    """
    return visitor.lately_at(resources.engine()).actor
