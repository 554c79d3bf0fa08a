"""Levels of balances below which one wants to be told: the list, a form to set one, and a button to remove one."""

from collections.abc import Sequence

import streamlit as st

from credits_core import settings
from credits_core.notices import low_balance
from credits_core.notices.endpoints import Endpoint
from credits_core.notices.low_balance import Level
from credits_core.store.kinds import EventKind
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.fields import require_id
from pages.build import clicked
from pages.parts import action, amounts, done, numbers, resources, show, words

_SET = "level:set"
_USUAL_CREDITS = 1_000_000


def draw(known: Sequence[Endpoint], *, may_manage: bool) -> None:
    """What is told, and for whom; and whether anybody of these endpoints listens."""
    with resources.reading() as connection:
        levels = low_balance.levels(connection)
    st.caption("`balance.low` is told once whenever a balance falls below a level.")
    if not settings.notify_urls() and not any(_listens(one) for one in known):
        st.warning(
            "No endpoint takes `balance.low`, and `CREDITS_NOTIFY_URLS` is not set. Add an endpoint with this event.",
            title="Nobody is told",
            icon=":material/notifications_off:",
        )
    if may_manage:
        _form()
    if not levels:
        st.info("Set one to be told in time.", title="No level yet", icon=":material/battery_alert:")
    for one in levels:
        with st.container(horizontal=True, vertical_alignment="center"):
            whose = words.plain(one.user_id) or "everybody without levels of their own"
            st.markdown(f"Below {amounts.in_words(one.level_credits)}: {whose}", width="content")
            if may_manage:
                key = f"level-{one.user_id}-{one.level_credits}"
                st.button("Remove level", icon=":material/delete:", key=key, on_click=_remove, args=(one,))


def _listens(endpoint: Endpoint) -> bool:
    return endpoint.disabled_at is None and EventKind.BALANCE_LOW in endpoint.kinds


def _form() -> None:
    with st.container(border=True):
        level, user_id = _inputs()
        submitted = st.button("Set level", type="primary", icon=":material/add_alert:", disabled=level is None)
    if level is None or not submitted:
        return
    action.start_over(_SET)
    outcome = action.perform(
        _SET,
        (level, user_id),
        lambda connection, _, now, actor: low_balance.set_level(
            connection, require_id("user_id", user_id) if user_id else "", level, now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="No level was set.")
        return
    whose = f"the balance of {words.plain(user_id)}" if user_id else "anybody's balance"
    done.add("Webhooks", f"Level set: we tell when {whose} falls below {amounts.in_words(level)}.")
    st.rerun()


def _inputs() -> tuple[int | None, str]:
    """The level in credits, None if it cannot be accepted; and whose it is, empty for everybody."""
    with st.grid(2, min_column_width=240):
        with st.container():
            level = numbers.whole(
                "Below, credits", 1, MAX_CREDITS, key="level_credits", usual=_USUAL_CREDITS, says=_both, in_url=False
            )
        with st.container():
            user = st.text_input("User", placeholder="Everybody", max_chars=128, key="level_user")
            st.caption("Empty for everybody who has no level of their own.")
    return level, user.strip()


def _both(level_credits: int | None) -> str:
    return words.both(level_credits or 0)


def _remove(one: Level) -> None:
    below = amounts.in_words(one.level_credits)
    clicked.do(
        "level:remove",
        (one.user_id, one.level_credits),
        lambda c, _, now, actor: low_balance.remove_level(c, one.user_id, one.level_credits, now=now, actor=actor),
        said=f"Level removed: we no longer tell when a balance falls below {below}.",
    )
