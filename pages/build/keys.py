"""API keys: make one and show it once, list all keys, and replace or revoke one after asking.

A made key lives in this session alone: it is shown until the person is done with it, and sends the calls that are
tried on the screen until the person forgets it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import streamlit as st
from sqlalchemy import Connection

from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.values.roles import Actor, Role
from pages.build import examples
from pages.parts import action, csv_files, filters, pick, show, words

_MAKE, _ROTATE, _REVOKE = "key:make", "key:rotate", "key:revoke"
_IN_USE = "key:in-use"
_ASKED, _REVOKE_CLICKED, _ROTATE_CLICKED = "key:asked", "key:clicked", "key:clicked-rotate"
_OVERLAPS = {
    "Stop it now": timedelta(),
    "1 hour": timedelta(hours=1),
    "24 hours": api_keys.USUAL_OVERLAP,
    "7 days": timedelta(days=7),
    "30 days": api_keys.LONGEST_OVERLAP,
}
_MAY = {
    Role.ADMIN: "May do everything: add credits, charge, unlock, refund, and see every user.",
    Role.SERVICE: "May price, charge and unlock for every user, and see every user. For a backend.",
    Role.USER: "May price runs, and see one user's own balance and transactions.",
}
_STATES = {"Active": "green", "Replaced": "blue", "Revoked": "gray", "Expired": "orange"}


@dataclass(frozen=True, slots=True)
class _MadeKey:
    record: KeyRecord
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """The key that was made last in this visit, with its name."""

    name: str
    key: str = field(repr=False)


def in_use() -> KeyInUse | None:
    """The key with which calls are tried; None until one is made, and after `forget`."""
    found: KeyInUse | None = st.session_state.get(_IN_USE)
    return found


def forget() -> None:
    """Forget the key with which calls are tried. It stays valid."""
    st.session_state.pop(_IN_USE, None)


def make_for_today() -> None:
    """Make a key that may charge for a day and use it, as a callback; it is shown like any other that is made."""
    now = datetime.now(UTC)
    name, key = f"try-{secrets.token_hex(3)}", api_keys.new_key()
    _make((name, Role.SERVICE, None, None), key, expires_at=now + timedelta(days=1))


def _make(asked: tuple[str, Role, str | None, date | None], key: str, *, expires_at: datetime | None) -> None:
    name, role, user_id, _ = asked
    made = action.perform(
        _MAKE,
        asked,
        lambda connection, _, now, actor: _MadeKey(
            api_keys.create_key(
                connection, name, key=key, role=role, user_id=user_id, expires_at=expires_at, now=now, actor=actor
            ),
            key,
        ),
    )
    if made.result is not None:
        st.session_state[_IN_USE] = KeyInUse(made.result.record.name, made.result.key)


def make(known: Sequence[str]) -> None:
    """The form for a new key; once it is made, the key itself instead, until the person is done with it."""
    made = action.performed(_MAKE)
    if made is None or made.result is None:
        _form(known)
    else:
        _show_once(made.result)
        st.button("Done", type="primary", icon=":material/check:", on_click=action.start_over, args=(_MAKE,))


def table(records: Sequence[KeyRecord], *, alt: str) -> None:
    """Every key with its state, and buttons to replace and to revoke it, where it can be; a button asks first."""
    now = datetime.now(UTC)
    rows = [
        {
            "Name": csv_files.safe_text(one.name),
            "Key": f"{one.beginning}…",
            "State": [_state(one, now)],
            "Action": "Revoke" if one.revoked_at is None else None,
            "Rotate": "Rotate" if _state(one, now) == "Active" else None,
            "Role": one.role.value.capitalize(),
            "User": csv_files.safe_text(one.user_id or "") or None,
            "Made (UTC)": one.created_at,
            "Expires (UTC)": one.expires_at,
        }
        for one in records
    ]
    minute = "YYYY-MM-DD HH:mm"
    st.dataframe(
        pd.DataFrame(rows).astype({"Expires (UTC)": "datetime64[us, UTC]"}),
        width="stretch",
        hide_index=True,
        column_config={
            "Name": st.column_config.TextColumn(pinned=True),
            "State": st.column_config.MultiselectColumn(options=list(_STATES), color=list(_STATES.values())),
            "Action": st.column_config.ButtonColumn(
                type="tertiary",
                key=_REVOKE_CLICKED,
                on_click=_ask,
                args=(_REVOKE, _REVOKE_CLICKED, [one.id for one in records]),
            ),
            "Rotate": st.column_config.ButtonColumn(
                type="tertiary",
                key=_ROTATE_CLICKED,
                on_click=_ask,
                args=(_ROTATE, _ROTATE_CLICKED, [one.id for one in records]),
            ),
            "Made (UTC)": st.column_config.DatetimeColumn(format=minute, timezone="UTC"),
            "Expires (UTC)": st.column_config.DatetimeColumn(format=minute, timezone="UTC"),
        },
        placeholder="–",
        key="keys",
        alt=alt,
    )
    asked = st.session_state.get(_ASKED)
    for one in records:
        if asked == (_REVOKE, one.id) and one.revoked_at is None:
            _revoke_dialog(one)
        if asked == (_ROTATE, one.id):
            _rotate_dialog(one)


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None:
        return "Revoked"
    if record.problem(now) is not None:
        return "Expired"
    return "Active" if record.replaced_at is None else "Replaced"


def _form(known: Sequence[str]) -> None:
    # Outside the form, because it decides whether there is a user to choose.
    role = pick.one(
        "Role",
        list(Role),
        key="key_role",
        usual=Role.SERVICE,
        is_in_link=False,
        says=lambda one: one.value.capitalize(),
    )
    st.caption(_MAY[role])
    with st.form("key:form", border=False):
        with st.grid(3 if role is Role.USER else 2, min_column_width=200):
            name = st.text_input(
                "Name",
                max_chars=api_keys.MAX_NAME,
                placeholder="shop-backend",
                key="key_name",
                help="Who uses the key. The history shows it as api/NAME.",
            )
            user_id = _user(known) if role is Role.USER else None
            expires_on = st.date_input(
                "Expires (UTC)",
                None,
                min_value=datetime.now(UTC).date() + timedelta(days=1),
                format="YYYY-MM-DD",
                key="key_expires",
                help="The key stops working on this day. Leave it empty to keep the key until you revoke it.",
            )
        submitted = st.form_submit_button("Make key", type="primary", icon=":material/key:")
    asked = (name.strip(), role, user_id, expires_on)
    if submitted:
        expires_at = None if expires_on is None else datetime.combine(expires_on, time(), UTC)
        _make(asked, api_keys.new_key(), expires_at=expires_at)
    outcome = action.performed(_MAKE)
    if outcome is not None and outcome.refusal is None:
        st.rerun()
    if outcome is not None and outcome.refusal is not None and outcome.request == asked:
        show.refusal(outcome.refusal, undone="No key was made.")


def _user(known: Sequence[str]) -> str | None:
    chosen = st.selectbox(
        "User",
        known,
        index=None,
        placeholder="Whose data it may see",
        accept_new_options=True,
        filter_mode="contains",
        key="key_user",
    )
    return filters.typed(chosen) or None


def _show_once(made: _MadeKey) -> None:
    st.warning(
        f"This is the key {words.plain(made.record.name)}. Only its hash is stored, so it cannot be shown again.",
        title="Copy the key now",
        icon=":material/visibility_off:",
    )
    st.code(made.key, language=None)
    st.caption("To run the examples, set the key in your shell:")
    st.code(f"export {examples.KEY_VARIABLE}={made.key}", "bash")


def _ask(name: str, clicked: str, key_ids: Sequence[int]) -> None:
    action.start_over(name)
    st.session_state[_ASKED] = (name, key_ids[st.session_state[clicked].row])


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)
    action.start_over(_ROTATE)  # forgets a new key, too


@st.dialog("Replace this key?", icon=":material/autorenew:", on_dismiss=_stop_asking)
def _rotate_dialog(record: KeyRecord) -> None:
    made = action.performed(_ROTATE)
    if made is None or made.result is None:
        st.markdown(
            f"A new key gets the name {words.plain(record.name)}, so both are the same caller: a request that is sent "
            f"again with the new key is not charged twice. The old key begins with `{record.beginning}`."
        )
        overlap = st.selectbox("The old key still works for", list(_OVERLAPS), index=2, key="key_overlap")
        if not st.button("Make new key", type="primary", icon=":material/autorenew:"):
            return
        key = api_keys.new_key()
        made = action.perform(
            _ROTATE,
            (record.id, overlap),
            lambda connection, _, now, actor: _rotate(connection, record, key, overlap, now, actor),
        )
    if made.refusal is not None:
        show.refusal(made.refusal, undone="No key was replaced.")
        return
    assert made.result is not None, "an action has a refusal or a result"
    _show_once(made.result)
    if st.button("Done", type="primary", icon=":material/check:", key="key_rotated"):
        _stop_asking()
        st.rerun()


def _rotate(connection: Connection, asked: KeyRecord, key: str, overlap: str, now: datetime, actor: Actor) -> _MadeKey:
    made = api_keys.rotate_key(
        connection, asked.name, key=key, overlap=_OVERLAPS[overlap], only_id=asked.id, now=now, actor=actor
    )
    return _MadeKey(made, key)


@st.dialog("Revoke this key?", icon=":material/key_off:", on_dismiss=_stop_asking)
def _revoke_dialog(record: KeyRecord) -> None:
    st.markdown(
        f"All calls with {words.plain(record.name)}, the key that begins with `{record.beginning}`, will be refused. "
        "This cannot be undone. Past calls stay in the history, and the name can be used again."
    )
    if st.button("Revoke", type="primary", icon=":material/key_off:"):
        outcome = action.perform(
            _REVOKE, record.id, lambda connection, _, now, actor: _revoke(connection, record, now, actor)
        )
        if outcome.refusal is None:
            _stop_asking()
            st.rerun()
        show.refusal(outcome.refusal, undone="Nothing was revoked.")


def _revoke(connection: Connection, asked: KeyRecord, now: datetime, actor: Actor) -> KeyRecord:
    # By its number: while the person was asked, somebody may have given its name to another key, which stays active.
    return api_keys.revoke_key(connection, asked.name, only_id=asked.id, now=now, actor=actor)
