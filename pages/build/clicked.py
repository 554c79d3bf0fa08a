"""What a click on a button of an endpoint, a delivery or a level does: one action, and what is said once it is done."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from credits_core.values.roles import Actor
from pages.parts import action, done


def do(name: str, request: object, act: Callable[[Connection, str, datetime, Actor], object], *, said: str) -> None:
    """Carry out an action anew, and say on Webhooks what was done, for Markdown; nothing where it was refused."""
    action.start_over(name)
    if action.perform(name, request, act).refusal is None:
        done.add("Webhooks", said)
