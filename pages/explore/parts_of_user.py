"""What a user has beside what can be spent, and the lots of those whose credits expire. Nothing for everybody else."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import hold_rows, lot_rows, parts
from credits_core.ledger.hold_rows import StoredHold
from credits_core.ledger.lots import EARNINGS, Lot
from credits_core.reports import debts
from credits_core.reports.debts import Owed
from credits_core.store.kinds import Part
from credits_core.values.days import from_microseconds, to_microseconds
from pages.parts import links, resources, show, tables

_HOLDS = 20


def show_beside(user_id: str) -> None:
    """Show what is held of the user with its holds, and the lots with their expiry, where there are any."""
    with resources.reading() as connection:
        beside = parts.of_user(connection, user_id)
        holds = hold_rows.holds_of(connection, user_id, limit=_HOLDS) if Part.HELD in beside else []
        lots = lot_rows.kept_lots(connection, user_id)
        owed = debts.owed_by(connection, user_id)
    now = datetime.now(UTC)
    _of_payments(beside, owed)
    if holds:
        st.header("Held for runs", anchor=False)
        show.metric("Held", beside[Part.HELD], help_text="Set aside: the user cannot spend it.")
        tables.draw(
            _holds(holds, now),
            {"Credits": "Dollars"},
            alt=f"The newest holds of {user_id}",
            key="holds",
            opens={"Run": lambda number: _open(user_id, holds[number].run_entry_id)},
            if_wide=["For", "Dollars"],
        )
    if lots:
        st.header("Lots", anchor=False, help="Credits by source and expiry, in the order in which they are spent.")
        tables.draw(
            _lots(lots, now),
            {"Left": "Dollars"},
            alt=f"The lots of {user_id}",
            key="lots",
            opens={"Entry": lambda number: _open(user_id, lots[number].number or None)},
            if_wide=["Dollars"],
        )


def _of_payments(beside: Mapping[Part, int], owes: Owed) -> None:
    """What is frozen because a payment is disputed, and what the user owes: for refunded shares, and for payments."""
    if owes.shares_credits:
        st.header("Owed for refunds", anchor=False)
        with show.metric_grid(owes.shares_credits, columns=2):
            show.metric(
                "Owed for shares",
                owes.shares_credits,
                help_text="Shares that were refunded after they were spent. The next earnings pay it first.",
            )
    frozen, owed = beside.get(Part.FROZEN, 0), owes.purchases_credits
    if not frozen and not owed:
        return
    st.header("Of payments", anchor=False)
    with show.metric_grid(frozen, owed, columns=2):
        if frozen:
            show.metric("Frozen", frozen, help_text="The payment is disputed: the user cannot spend it.")
        if owed:
            show.metric("Owed", owed, help_text="Spent, and the money went back. The next purchase pays it.")
    st.page_link("money/payments.py", label="See the payments", icon=":material/credit_score:", width="content")


def _open(user_id: str, entry_id: int | None) -> None:
    if entry_id is not None:
        st.switch_page("explore/history.py", query_params=links.link_to(user=user_id, entry=str(entry_id)))


def _holds(holds: Sequence[StoredHold], now: datetime) -> list[dict[str, object]]:
    return [
        {
            "Hold": one.id,
            "State": one.state(now).capitalize(),
            "Credits": one.held_credits,
            "Charged": one.total_credits,
            "Came back": one.released_credits,
            "Run": one.run_entry_id,
            "For": f"{one.prompt_id} on {one.model_id}",
            "Expires": one.expires_at,
        }
        for one in holds
    ]


def _lots(lots: Sequence[Lot], now: datetime) -> list[dict[str, object]]:
    return [
        {
            "Entry": None if lot.number == EARNINGS else lot.number,
            "Source": lot.source.value.capitalize(),
            "Left": lot.left_credits,
            "Expires": None if lot.expires_at_us is None else from_microseconds(lot.expires_at_us),
            "Now": "Expired" if lot.is_expired(to_microseconds(now)) else "Can be spent",
        }
        for lot in lots
    ]
