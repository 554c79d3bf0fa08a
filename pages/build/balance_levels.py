"""Levels of balances below which one wants to be told: the list, a form to set one, and a button to remove one."""

import streamlit as st

from credits_core.notices import low_balance
from credits_core.notices.low_balance import Level
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.fields import require_id
from pages.build import clicked
from pages.parts import action, amounts, done, resources, show, words

_SET = "level:set"
_USUAL_CREDITS = 1_000_000


def draw(*, may_manage: bool) -> None:
    """What is told, and for whom."""
    with resources.reading() as connection:
        levels = low_balance.levels(connection)
    st.caption("`balance.low` is told once whenever a balance falls below a level.")
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


def _form() -> None:
    with st.form("level:form"), st.container(horizontal=True, vertical_alignment="bottom"):
        level = st.number_input("Below, credits", 1, MAX_CREDITS, _USUAL_CREDITS, key="level_credits")
        user = st.text_input("User", placeholder="Everybody", max_chars=128, key="level_user").strip()
        submitted = st.form_submit_button("Set level", type="primary", icon=":material/add_alert:")
    if not submitted:
        return
    action.start_over(_SET)
    outcome = action.perform(
        _SET,
        (level, user),
        lambda connection, _, now, actor: low_balance.set_level(
            connection, require_id("user_id", user) if user else "", int(level), now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="No level was set.")
        return
    done.add("Webhooks", f"Told below {amounts.in_words(int(level))}: {words.plain(user) or 'everybody'}.")
    st.rerun()


def _remove(one: Level) -> None:
    clicked.do(
        "level:remove",
        (one.user_id, one.level_credits),
        lambda c, _, now, actor: low_balance.remove_level(c, one.user_id, one.level_credits, now=now, actor=actor),
        said=f"Told nothing below {amounts.in_words(one.level_credits)} any more.",
    )
