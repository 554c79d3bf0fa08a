"""Spending limits of a user or an API key: what is left of each, a form to set one, and buttons to remove them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.ledger import spending_limits
from credits_core.ledger.spending import key_of
from credits_core.ledger.spending_limits import LimitNow
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.credits import MAX_CREDITS
from pages.parts import action, amounts, clock, done, numbers, resources, show, words

_SET, _REMOVE = "limit:set", "limit:remove"
_MINUTE = "%Y-%m-%d %H:%M"
_IN_WORDS = {SpendingPeriod.DAY: "Today", SpendingPeriod.MONTH: "This month"}


def of(subject: str) -> Sequence[LimitNow]:
    """The limits of a user or a key as they are now."""
    with resources.reading() as connection:
        return spending_limits.limits_now(connection, subject, now=datetime.now(UTC))


def draw(limits: Sequence[LimitNow], *, screen: str, may_change: bool) -> None:
    """One line for each limit: a bar of what is spent and held, and a button to remove it."""
    for one in limits:
        limit = one.limit
        used_credits = min(limit.limit_credits, limit.limit_credits - one.left_credits)
        share = used_credits / limit.limit_credits if limit.limit_credits else 1.0
        held = f", {amounts.first(one.held_credits)} held" if one.held_credits else ""
        name = key_of(limit.subject)
        whose = "" if name is None else f"**{words.plain(name)}** · "
        said = (
            f"{whose}{_IN_WORDS[limit.period]}: **{amounts.in_words(one.left_credits)} left** of "
            f"{amounts.first(limit.limit_credits)} ({amounts.first(limit.spent_credits)} spent{held}), until "
            f"{clock.text(limit.resets_at, _MINUTE)}"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.progress(share, text=said.replace("$", r"\$"))
            if may_change:
                st.button(
                    "Remove limit",
                    icon=":material/delete:",
                    key=f"limit-{limit.subject}-{limit.period}",
                    on_click=_remove,
                    args=(one, screen),
                )
    _why_not_removed()


def form(subject: str, *, screen: str, key: str) -> None:
    """Choose a period and a number of credits, and set the limit."""
    period = st.segmented_control(
        "In each",
        list(SpendingPeriod),
        default=SpendingPeriod.DAY,
        required=True,
        format_func=lambda one: one.value.capitalize(),
        key=f"{key}_period",
    )
    credits = numbers.whole(
        "At most, credits", 0, MAX_CREDITS, key=f"{key}_credits", placeholder="5,000,000", says=_both, in_url=False
    )
    submitted = st.button("Set limit", type="primary", icon=":material/speed:", disabled=credits is None, key=key)
    if credits is None or period is None or not submitted:
        return
    action.start_over(_SET)
    zone = settings.time_zone()
    outcome = action.perform(
        _SET,
        (subject, period, credits),
        lambda connection, _, now, actor: spending_limits.set_limit(
            connection, subject, period, credits, zone=zone, now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="No limit was set.")
        return
    done.add(screen, f"{_whose(subject)} may spend at most {amounts.in_words(credits)} a {period}.")
    st.rerun()


def _remove(one: LimitNow, screen: str) -> None:
    limit = one.limit
    action.start_over(_REMOVE)
    outcome = action.perform(
        _REMOVE,
        (limit.subject, limit.period),
        lambda c, _, now, actor: spending_limits.remove_limit(c, limit.subject, limit.period, now=now, actor=actor),
    )
    if outcome.refusal is None:
        done.add(screen, f"{_whose(limit.subject)} has no limit a {limit.period} any more.")


def _why_not_removed() -> None:
    outcome = action.performed(_REMOVE)
    if outcome is not None and outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="No limit was removed.")


def _whose(subject: str) -> str:
    name = key_of(subject)
    return f"**{words.plain(subject)}**" if name is None else f"The key **{words.plain(name)}**"


def _both(credits: int | None) -> str:
    if credits is None:
        return "0 lets nothing be spent."
    return words.both(credits)
