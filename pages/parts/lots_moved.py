"""Which of a user's credits an entry took or added, by source and expiry."""

from collections.abc import Sequence

import streamlit as st

from credits_core.ledger.entry_lots import MOST_MOVEMENTS, LotPart
from credits_core.ledger.lots import LotSource
from pages.parts import clock, show, words
from pages.parts.show import Row


def draw(user_id: str | None, moved: Sequence[LotPart] | None) -> None:
    """A small table with a line for each lot; nothing where the entry moves no credits of a user."""
    if user_id is None or moved == []:
        return
    name = words.plain(user_id)
    if moved is None:
        st.caption(
            f"Which of the credits these are is not shown: {name} had more than {MOST_MOVEMENTS:,} movements before,"
            " or lots are missing, which an audit finds."
        )
        return
    rows: list[Row] = [
        {
            f"Credits of {name}": _source(one),
            "Added by entry": "–" if one.entry_id is None else str(one.entry_id),
            "Change": one.amount_credits,
            "Expire": "Never" if one.expires_at is None else clock.text(one.expires_at),
        }
        for one in moved
    ]
    formats: show.Formats = {"Change": lambda amount: f"{amount:+,} ({words.exact_dollars(amount)})"}
    st.table(
        show.small_table(rows, formats),
        border="horizontal",
        hide_index=True,
        alt="The credits by source and expiry",
    )


def _source(one: LotPart) -> str:
    if one.purchase_id is not None:
        return f"{'Bonus of purchase' if one.source is LotSource.BONUS else 'Purchase'} {one.purchase_id}"
    return one.source.value.capitalize()
