"""The door of the dashboard: who is let in, what others see, and how a person signs out."""

from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.access import people, sessions
from credits_core.access.sessions import SignedIn, State
from credits_core.settings import SignIn
from credits_core.store import database
from credits_core.values.roles import PersonRole
from pages.parts import resources, visitor, window, words
from pages.parts.visitor import Visitor

_PIXELS, _NAME_LETTERS = 480, 16
_OVER = {
    State.ENDED: "You signed out, or somebody ended your session.",
    State.TOO_OLD: "Your session has ended: it lasts 12 hours.",
    State.IDLE: "Your session has ended: it lasts one hour without use.",
}


def is_on() -> bool:
    """Whether people sign in."""
    return settings.sign_in() is SignIn.OIDC


def visiting() -> Visitor:
    """Who opens the screen. The main script asks this once in each run, before it shows or reads anything."""
    return visitor.now_at(resources.engine())


def door(there: Visitor) -> None:
    """What somebody sees who is not let in, in place of the screen: how to sign in, or whom to ask."""
    st.space("large")
    with st.container(horizontal_alignment="center", key="door"), st.container(width=_PIXELS, border=True):
        if there.who is not None and there.state in (State.NEW, State.OPEN):
            _no_role(there.who)
        elif there.problem is not None:
            st.title("You cannot sign in", anchor=False)
            st.error(words.plain(there.problem), icon=":material/block:")
            st.button("Sign out", icon=":material/logout:", on_click=st.logout)
        else:
            _sign_in(None if there.state is None else _OVER[there.state])


def _sign_in(over: str | None) -> None:
    st.title("Sign in to PromptFlow credits", anchor=False)
    if over is None:
        st.markdown("See what runs cost, who was paid, and why.")
    else:
        st.info(over, icon=":material/schedule:")
    label = "Sign in" if over is None else "Sign in again"
    st.button(label, type="primary", icon=":material/login:", width="stretch", on_click=st.login)


def _no_role(who: SignedIn) -> None:
    st.title("You have no role yet", anchor=False)
    with database.read(resources.engine()) as connection:
        admins = people.admins(connection)
    # To people of other organisations the addresses of ours are no business.
    colleagues = [admin for admin in admins if people.domain_of(admin) == people.domain_of(who.email)]
    ask = ", ".join(map(words.plain, colleagues)) or "an admin of this dashboard"
    st.markdown(f"Nobody has said what {words.plain(who.email)} may do here. Ask {ask} to add this address.")
    with st.container(horizontal=True):
        st.button("Try again", type="primary", icon=":material/refresh:")
        st.button("Sign out", icon=":material/logout:", on_click=_sign_out, args=(who,))


def name_tag(there: Visitor) -> None:
    """For the sidebar: that nobody signed in, and who acts then. Who did is named in the head of the screen."""
    if there.who is None:
        is_waived = settings.sign_in() is SignIn.NONE
        st.caption(f":material/person: {'Nobody signs in' if is_waived else 'Local operator'}")


def account() -> None:
    """For the head of a screen: a button named as the person who signed in, with address, roles and a way out.

    Draws nothing for the operator of this machine.
    """
    there = visitor.lately_at(resources.engine())
    if there.who is None:
        return
    name = there.who.email.partition("@")[0]
    label = f"{name[:_NAME_LETTERS]}…" if len(name) > _NAME_LETTERS else name
    with st.popover(
        "" if window.is_narrow() else words.plain(label),
        icon=":material/account_circle:",
        type="tertiary",
        help="Who you are, and sign out",
        key="account",
    ):
        st.markdown(words.plain(there.who.email))
        st.caption(", ".join(role.value for role in PersonRole if role in there.roles))
        st.button("Sign out", icon=":material/logout:", on_click=_sign_out, args=(there.who,))


def banner() -> None:
    """On every screen, where sign-in was waived for other machines as well: that anybody may do everything."""
    if settings.sign_in() is SignIn.NONE:
        st.warning(
            "Nobody signs in here: whoever reaches this address may do everything, and no record says who did.",
            icon=":material/lock_open:",
        )


def watch(there: Visitor) -> None:
    """Have an open tab ask again and again whether its person is still let in, and with the same roles."""
    if not there.is_local:
        st.fragment(_watch, run_every=settings.sign_in_check())(there)


def _watch(there: Visitor) -> None:
    now = visitor.now_at(resources.engine())
    if now.is_let_in != there.is_let_in or now.roles != there.roles:
        st.rerun()


def _sign_out(who: SignedIn) -> None:
    now = datetime.now(UTC)
    resources.writing(lambda connection: sessions.end(connection, who, now=now))
    visitor.forget()
    st.logout()
