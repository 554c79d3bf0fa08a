"""Actions that the walk through all roles carries out on an empty database, or on one that began as the demo."""

from collections.abc import Callable

from sqlalchemy import Connection

from credits_core import settings, startup
from credits_core.bulk import demo, starting_over
from credits_core.values.roles import Actor
from tests.support import demo as demo_world
from tests.support.world import NOW

MANAGE = "admin, operator"
TABLE: dict[str, tuple[str, Callable[[Connection, Actor], object]]] = {
    "bulk.demo.build_once": (
        MANAGE,
        lambda c, actor: demo.build_once(
            c, demo_world.small(), demo_world.books().at(c), ends_at=demo_world.ENDS_AT, actor=actor
        ),
    ),
    "bulk.demo.build_if_empty": (
        MANAGE,
        lambda c, actor: demo.build_if_empty(
            c, demo_world.small(), demo_world.books(), ends_at=demo_world.ENDS_AT, actor=actor
        ),
    ),
    "startup.build_demo": (MANAGE, lambda c, actor: startup.build_demo(c, demo_world.books(), now=NOW, actor=actor)),
    "startup.start_demo_over": (
        MANAGE,
        lambda c, actor: startup.start_demo_over(c, demo_world.books(), now=demo_world.NOW, actor=actor),
    ),
    "bulk.starting_over.start_over": (
        MANAGE,
        lambda c, actor: starting_over.start_over(
            c,
            demo_world.small(),
            prices=settings.MODELS_FILE.read_text(encoding="utf-8"),
            models=demo_world.books().shipped,
            ends_at=demo_world.ENDS_AT,
            now=NOW,
            actor=actor,
        ),
    ),
}
