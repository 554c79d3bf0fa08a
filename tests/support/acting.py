"""Opens the dashboard as somebody with a role, as sign-in does."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from credits_core.values.roles import Actor, PersonRole, person
from pages.parts import who


def actor_as(*roles: PersonRole, test_prefix: str = "") -> Actor:
    """Somebody with these roles, who is named after the first one."""
    return person(f"{roles[0]}@example.org", frozenset(roles), test_prefix=test_prefix)


@contextmanager
def signed_in(actor: Actor) -> Iterator[None]:
    """Whoever opens a page acts as this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(who, "actor", lambda: actor)
        patch.setattr(who, "later", lambda: lambda: actor)
        yield
