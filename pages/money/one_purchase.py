"""One purchase in full: its money and credits, what the gateway said of it, and its lots and entries in the ledger."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import purchase_rows
from credits_core.ledger.purchase_rows import Granted, StoredMove
from credits_core.payments.purchased import Bought
from credits_core.payments.receipt_file import receipt_pdf
from credits_core.values.money import format_money
from pages.money import at_gateway, giving_back, naming, purchase_list
from pages.parts import clock, exporting, links, resources, show, tables, words

_BECAME = (
    ("Refunded", "Their money went back. What was spent of them is owed."),
    ("Taken by the bank", "A dispute was lost. What was spent of them is owed."),
    ("Frozen", "They cannot be spent until the dispute ends."),
    ("Owed", "Their money went back, but they were spent. The next purchase pays them."),
)


def in_full(bought: Bought) -> None:
    """Show it, with the button that goes back to the list."""
    with resources.reading() as connection:
        moves = purchase_rows.moves_of(connection, [bought.id])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(naming.title(bought), anchor=False, width="content")
        state = bought.standing.state
        st.badge(naming.STATES[state], color=naming.COLOURS.get(state, "gray"))  # type: ignore[arg-type]
        st.space("stretch")
        purchase_list.back_button()
    _figures(bought)
    receipt = "No receipt yet"
    if bought.receipt is not None and bought.receipt_at is not None:
        receipt = f"Receipt {bought.receipt}, {clock.text(bought.receipt_at, '%Y-%m-%d %H:%M')}"
    st.caption(
        f"{receipt} · bought {clock.text(bought.created_at, '%Y-%m-%d %H:%M')} by {words.by(bought.actor)} ·"
        f" price plan {words.plain(bought.plan_id)} · gateway {bought.gateway}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if not bought.standing.is_paid:
            at_gateway.link_to_checkout(bought)
        _receipt_button(bought)
        giving_back.button(bought)
        st.page_link(
            "money/payments.py",
            label="See it step by step",
            icon=":material/theater_comedy:",
            query_params=links.carry_to(purchase=str(bought.id)),
            width="content",
        )
        st.page_link(
            "explore/balances.py",
            label=words.plain(bought.user_id),
            icon=":material/person:",
            query_params=links.carry_to(user=bought.user_id),
            width="content",
        )
    _events(bought)
    _in_ledger(bought, moves)


def _figures(bought: Bought) -> None:
    stands, currency = bought.standing, bought.currency
    taken, frozen, owed = bought.became
    back_minor = stands.refunded_minor + stands.lost_minor
    refunded = bought.refunded_credits
    became = [one for one in zip(_BECAME, (refunded, taken - refunded, frozen, owed), strict=True) if one[1]]
    with show.metric_grid(bought.credits, columns=2 + len(became)):
        st.metric(
            "Paid",
            naming.money(stands.paid_minor, currency),
            delta=f"{naming.money(back_minor, currency)} went back" if back_minor else "of " + _due(bought),
            delta_color="gray",
            delta_arrow="off",
            border=True,
            height="stretch",
        )
        show.metric(
            "Credits",
            bought.credits + bought.bonus_credits,
            help_text=f"{bought.credits:,} and a bonus of {bought.bonus_credits:,}." if bought.bonus_credits else None,
        )
        for (label, means), credits in became:
            show.metric(label, credits, help_text=means)


def _receipt_button(bought: Bought) -> None:
    if bought.receipt is None:
        return
    zone = resources.zone()
    exporting.button(
        "Receipt",
        lambda: receipt_pdf(bought, zone, made_at=datetime.now(UTC)),
        f"receipt-{bought.receipt}.pdf",
        "application/pdf",
        icon=":material/picture_as_pdf:",
        detail={"purchase": bought.id},
        help_text="The receipt as a PDF file, with what went back until now.",
        is_told=False,
    )


def _due(bought: Bought) -> str:
    return naming.money(bought.due_minor, bought.currency)


def _events(bought: Bought) -> None:
    st.header("What the gateway said", anchor=False)
    if not bought.told:
        st.info("Open the checkout and pay.", title="Nothing yet", icon=":material/hourglass_empty:")
        return
    tables.draw(
        [
            {
                "Event": naming.HAPPENED[one.kind],
                "Money": format_money(one.amount_minor, bought.currency) if one.amount_minor else None,
                "Gateway's fee": format_money(one.fee_minor, bought.currency) if one.fee_minor else None,
                clock.label("Happened"): one.happened_at,
                clock.label("Received"): one.received_at,
                "About": one.about,
                "Note": None if one.note == bought.checkout_url else one.note or None,
            }
            for one in bought.told
        ],
        {},
        alt=f"The events of purchase {bought.id}",
        key="purchase_events",
        opens={},
        if_wide=[clock.label("Received"), "About"],
        money=["Money", "Gateway's fee"],
    )


def _in_ledger(bought: Bought, moves: list[StoredMove]) -> None:
    st.header("In the ledger", anchor=False)
    if not moves:
        st.info("Credits come when the gateway says it is paid.", title="No entry yet", icon=":material/toll:")
        return
    tables.draw(
        [
            {
                "Entry": one.lot,
                "Credits of": _whose(is_bonus=one.is_bonus),
                "Credits": one.granted_credits,
                "Refunded": (refunded := _refunded(bought, one)) or None,
                "Taken by the bank": one.now.taken_credits - refunded or None,
                "Frozen": one.now.frozen_credits or None,
                "Owed": one.now.owed_credits or None,
            }
            for one in bought.lots
        ],
        {"Credits": "Dollars", "Refunded": None, "Taken by the bank": None, "Frozen": None, "Owed": None},
        alt=f"The lots of purchase {bought.id}",
        key="purchase_lots",
        opens={"Entry": lambda row: _open(bought.user_id, bought.lots[row].lot)},
        if_wide=["Dollars"],
    )
    tables.draw(
        [
            {
                "Entry": one.entry_id,
                "What": naming.step(one.step, bought.standing),
                "Credits of": _whose(is_bonus=one.is_bonus),
                "Credits": purchase_rows.signed_credits(one),
            }
            for one in moves
        ],
        {"Credits": "Dollars"},
        alt=f"The entries of purchase {bought.id}",
        key="purchase_entries",
        opens={"Entry": lambda row: _open(bought.user_id, moves[row].entry_id)},
    )


def _whose(*, is_bonus: bool) -> str:
    return "Bonus" if is_bonus else "Purchase"


def _refunded(bought: Bought, lot: Granted) -> int:
    return bought.standing.refunded_of(lot.granted_credits, lot.now.taken_credits)


def _open(user_id: str, entry_id: int) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(user=user_id, entry=str(entry_id)))
