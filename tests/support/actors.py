"""Actors for tests that are about something else than what one may do: they may do everything."""

from credits_core.values.roles import Actor, system


def named(recorded: str) -> Actor:
    """Somebody who may do everything, recorded under this name."""
    return system(recorded)


TESTER = named("tester")
