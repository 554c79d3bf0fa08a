"""What a plan would have changed last month, in money: for users, creators and the platform. Plus is better off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import streamlit as st

from credits_core.lab.inspector.comparison import Change
from credits_core.lab.replay.between import Between, Group
from credits_core.values.text import counted, format_bps
from pages.parts import amounts, show
from pages.plans.losers import Rows

_Colour = Literal["gray", "blue", "green", "violet"]


def table(effect: Between, *, alt: str) -> None:
    """What users, creators and the platform gain or lose, as a small table; who is refused where somebody is."""
    parties = [("Users", -1, effect.users), ("Creators", 1, effect.creators), ("Platform", 1, effect.platform)]
    rows: list[show.Row] = [
        {"Last month": name, "Gains": sign * change.difference_credits} for name, sign, change in parties
    ]
    st.table(show.small_table(rows, {"Gains": _both}), border="horizontal", hide_index=True, alt=alt)
    if effect.newly_refused:
        st.markdown(f":material/block: {counted(effect.newly_refused, 'charge')} refused: credits run out.")


def deltas(effect: Between, *, open_rows: Callable[[Rows], None]) -> None:
    """Four figures, each with a button that opens the rows behind it."""
    users, creators, models = effect.by_user, effect.by_creator, effect.by_model
    with st.grid(2, min_column_width=200, gap="xsmall"):
        with _card(Rows.USERS, _sides(users, noun="user", worse="pay more", better="pay less"), open_rows):
            _delta("Users pay", effect.users, sign=-1, colour="blue")
        with _card(Rows.CREATORS, _sides(creators, noun="creator", worse="get less", better="get more"), open_rows):
            _delta("Creators get", effect.creators, sign=1, colour="green")
        with _card(Rows.MODELS, _sides(models, noun="model", worse="bring less", better="bring more"), open_rows):
            _delta("Platform gets", effect.platform, sign=1, colour="violet")
        with _card(Rows.REFUSED, _running_out(users.refused_anew), open_rows):
            _refused(effect)


@contextmanager
def _card(rows: Rows, opens: str, open_rows: Callable[[Rows], None]) -> Iterator[None]:
    with st.container(border=True, gap="xxsmall"):
        yield
        st.button(
            opens,
            icon=":material/list:",
            type="tertiary",
            key=f"rows:{rows}",
            help="List them below",
            on_click=open_rows,
            args=(rows,),
        )


def _running_out(users: int) -> str:
    return f"{counted(users, 'user')} run{'s' if users == 1 else ''} out" if users else "Nobody runs out"


def _sides(group: Group, *, noun: str, worse: str, better: str) -> str:
    """How many lose and how many gain, such as "2 users pay more, 1 pays less"."""
    said: list[str] = []
    for count, verb in ((group.worse_off, worse), (group.better_off, better)):
        if count:
            who = f"{count:,}" if said else counted(count, noun)
            said.append(f"{who} {verb if count > 1 else verb.replace(' ', 's ')}")
    return ", ".join(said) or f"No {noun} differs"


def _delta(label: str, change: Change, *, sign: int, colour: _Colour) -> None:
    gain_credits = sign * change.difference_credits
    show.gain(f"{label} {_how(change)}", gain_credits, of_credits=change.a_credits, colour=colour)


def _how(change: Change) -> str:
    if not change.difference_credits:
        return "the same"
    direction = "more" if change.difference_credits > 0 else "less"
    if change.a_credits <= 0:
        return direction
    bps = change.difference_bps
    return f"{format_bps(abs(bps))} {direction}" if bps else f"under 0.01 % {direction}"


def _refused(effect: Between) -> None:
    charges = effect.runs + effect.unlocks
    st.metric(
        "Refused charges",
        f"{effect.refused.difference_credits:+,}".replace("-", "−") if effect.refused.difference_credits else "0",
        delta=f"{effect.refused.b_credits:,} instead of {effect.refused.a_credits:,}",
        delta_color="red" if effect.newly_refused else "gray",
        delta_arrow="off",
        delta_description=f"of {charges:,}",
    )


def _both(credits: int) -> str:
    if not credits:
        return "0"
    text = amounts.signed(credits)
    return (text if amounts.in_dollars() else f"{text} ({amounts.signed_second(credits)})").replace("$", r"\$")
