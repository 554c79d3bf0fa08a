"""Somebody who signed in, for tests that open screens without a browser: what Streamlit would say of the person."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine

from credits_core.access import people
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator
from pages.parts import reach


@dataclass(frozen=True, slots=True)
class _User:
    claims: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.claims


def add(engine: Engine, email: str, *roles: PersonRole) -> None:
    """Give a person roles, as the command line does."""
    root, now = operator(Way.CLI), datetime.now(UTC)
    database.write(engine, lambda connection: people.add(connection, email, roles, actor=root, now=now))


@contextmanager
def signed_in(email: str | None, **claims: object) -> Iterator[None]:
    """Sign-in is on, and the screens that are opened meanwhile belong to this person; to nobody for None."""
    known = {
        "is_logged_in": True,
        "iss": "https://sign-in.example.org",
        "sub": email,
        "aud": "credits",
        "iat": int(datetime.now(UTC).timestamp()),
        "nonce": "n",
        "email": email,
        "email_verified": True,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITS_SIGN_IN", "oidc")
        patch.setattr(reach, "provider_section", lambda: {"client_id": "credits"})
        patch.setattr(st, "user", _User({"is_logged_in": False} if email is None else known | claims))
        yield
