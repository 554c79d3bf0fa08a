"""Add a person, and change roles or remove a person after a question. Each change is one action with its outcome."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from credits_core import settings
from credits_core.access import people
from credits_core.access.people import PersonRecord
from credits_core.values.roles import PersonRole
from pages.parts import action, done, show
from pages.parts.words import plain

CHANGE, REMOVE = "person:change", "person:remove"
_ADD, _ASKED = "person:add", "person:asked"
_SCREEN = "People"


def add_form() -> None:
    """The form that adds a person with their roles."""
    with st.form("person:form", clear_on_submit=False), st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.text_input(
            "E-mail address", max_chars=people.MAX_EMAIL, placeholder="ada@example.org", key="person_email"
        )
        roles = _roles_input("person_roles", [PersonRole.VIEWER])
        submitted = st.form_submit_button(
            "Add person", type="primary", icon=":material/person_add:", on_click=done.put_away
        )
    if not submitted:
        return
    action.start_over(_ADD)
    outcome = action.perform(
        _ADD,
        (email, tuple(roles)),
        lambda connection, _key, now, actor: people.add(connection, email, roles, actor=actor, now=now),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nobody was added.")
        return
    done.add(_SCREEN, f"Added {plain(people.folded_email(email))} as {_named(roles)}.")
    for key in ("person_email", "person_roles"):
        del st.session_state[key]
    st.rerun()


def button_column(name: str, listed: Sequence[PersonRecord]) -> Any:
    """A column of buttons that ask about a person of the list."""
    clicked = f"{name}:clicked"
    return st.column_config.ButtonColumn(
        type="tertiary",
        alignment="left",
        key=clicked,
        on_click=_ask,
        args=(name, clicked, [one.email for one in listed]),
    )


def questions(listed: Sequence[PersonRecord]) -> None:
    """The question about the person whose button was clicked, while they are in the list."""
    asked = st.session_state.get(_ASKED)
    for one in listed:
        if asked == (CHANGE, one.email):
            _change_dialog(one)
        if asked == (REMOVE, one.email):
            _remove_dialog(one)


def _ask(name: str, clicked: str, emails: Sequence[str]) -> None:
    action.start_over(name)
    st.session_state[_ASKED] = (name, emails[st.session_state[clicked].row])


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Change roles", icon=":material/manage_accounts:", on_dismiss=_stop_asking)
def _change_dialog(person: PersonRecord) -> None:
    st.markdown(plain(person.email))
    roles = _roles_input("person_new_roles", [role for role in PersonRole if role in person.roles])
    change = people.add if person.added_by is None else people.change_roles  # whom the domain lets in has no row yet
    if not st.button("Save roles", type="primary", icon=":material/check:"):
        return
    outcome = action.perform(
        CHANGE,
        (person.email, tuple(roles)),
        lambda connection, _key, now, actor: change(connection, person.email, roles, actor=actor, now=now),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="No role was changed.")
        return
    done.add(_SCREEN, f"{plain(person.email)} now has: {_named(roles)}.")
    _stop_asking()
    st.rerun()


@st.dialog("Remove this person?", icon=":material/person_remove:", on_dismiss=_stop_asking)
def _remove_dialog(person: PersonRecord) -> None:
    st.markdown(
        f"{plain(person.email)} can no longer sign in, and is signed out within a minute. What they proposed is "
        "withdrawn; what they did stays in the record. You can add them again."
    )
    if not st.button("Remove", type="primary", icon=":material/person_remove:"):
        return
    outcome = action.perform(
        REMOVE,
        person.email,
        lambda connection, _key, now, actor: people.remove(
            connection, person.email, actor=actor, now=now, domains=settings.sign_in_domains()
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nobody was removed.")
        return
    done.add(_SCREEN, f"Removed {plain(person.email)}.")
    _stop_asking()
    st.rerun()


def _roles_input(key: str, usual: list[PersonRole]) -> list[PersonRole]:
    return st.multiselect("Roles", list(PersonRole), usual, format_func=lambda role: role.value.capitalize(), key=key)


def _named(roles: Sequence[PersonRole]) -> str:
    return people.roles_text(roles).replace(",", ", ")
