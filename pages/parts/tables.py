"""Long tables, which look the same everywhere: credits grouped by thousands, then dollars, times with their zone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import pandas as pd
import streamlit as st

from credits_core.lab.replay.result import Group
from credits_core.ledger.accounts import ListedTransaction, UserBalance
from credits_core.reports.earnings import Earned, ListedUnlock, WorkTotals
from credits_core.values.text import format_credits, format_usd
from pages.parts import clock, csv_files, resources, show, words

OnSelect = Callable[[], None]
_WHOLE_CREDITS = {"Balance after", "Recorded", "Plan B", "Platform change"}
_POSTED, _USED = "Posted", "Used"
_TIMES = {
    _POSTED: "When the entry was posted. Days count by this time.",
    _USED: "When the run took place, where its caller said so.",
}
_SAME_TIME = timedelta(minutes=1)
"""A run is posted a moment after it took place. A column that says nothing more is left out."""
_SHOWN_WHOLE = 25
_SELECTED_BY: tuple[Literal["single-row", "single-cell"], ...] = ("single-row", "single-cell")
_MINUTE_PIXELS = 125
"""The browser sizes a column by a few of its cells, and would cut a column of which most are empty."""
_PIXELS_PER_DIGIT, _CELL_PADDING, _NARROWEST = 8, 20, 75


def take_selected_row(key: str) -> int | None:
    """For `on_select`: the number of the row that was selected in the table with this key, from 0, or None.

    The table is drawn anew after that, with nothing selected, so that the same row can be selected again.
    """
    selection = st.session_state[_drawn_key(key)].selection
    st.session_state[f"{key}:taken"] = st.session_state.get(f"{key}:taken", 0) + 1
    selected: list[int] = [*selection.rows, *(row for row, _ in selection.cells)]
    return selected[0] if selected else None


def transactions(
    listed: Sequence[ListedTransaction],
    *,
    alt: str,
    key: str | None = None,
    on_select: OnSelect | None = None,
    as_payments: bool = False,
) -> None:
    """Transactions of many accounts, each with what its entry was about; as payments, without entry and type."""
    rows: list[dict[str, object]] = [
        {
            "Entry": one.entry_id,
            **time,
            "Account": words.account_name(one.account_id),
            "Credits": one.amount_credits,
            "Type": words.type_name(one.type),
            "About": one.description,
        }
        for one, time in zip(listed, _times(listed), strict=True)
    ]
    if as_payments:
        rows = [{name: value for name, value in row.items() if name not in {"Entry", "Type"}} for row in rows]
    _draw(rows, {"Credits": "Dollars"}, alt=alt, key=key, on_select=on_select)


def transactions_of_one(listed: Sequence[ListedTransaction], *, alt: str, key: str, on_select: OnSelect) -> None:
    """Transactions of one account, each with the balance it left."""
    rows = [
        {
            "Entry": one.entry_id,
            **time,
            "Credits": one.amount_credits,
            "Balance after": one.balance_after_credits,
            "Type": words.type_name(one.type),
            "About": one.description,
        }
        for one, time in zip(listed, _times(listed), strict=True)
    ]
    _draw(rows, {"Credits": "Dollars"}, alt=alt, key=key, on_select=on_select)


def activity(listed: Sequence[ListedTransaction], *, alt: str, key: str, on_select: OnSelect) -> None:
    """Entries by their headline: who paid or received, for what."""
    rows = [
        {
            "Entry": one.entry_id,
            **time,
            "User": one.account_id,
            "Credits": one.amount_credits,
            "About": one.description,
        }
        for one, time in zip(listed, _times(listed), strict=True)
    ]
    _draw(rows, {"Credits": "Dollars"}, alt=alt, key=key, on_select=on_select)


def users(listed: Sequence[UserBalance], *, alt: str, key: str, on_select: OnSelect, with_since: bool = True) -> None:
    """Users with their balances, and since when they are there."""
    rows: list[dict[str, object]] = [{"User": one.user_id, "Balance": one.balance_credits} for one in listed]
    if with_since:
        rows = [{**row, clock.label("Since"): one.created_at} for row, one in zip(rows, listed, strict=True)]
    _draw(rows, {"Balance": "Dollars"}, alt=alt, key=key, on_select=on_select)


def creators(totals: Sequence[tuple[str, Earned]], *, alt: str, key: str, on_select: OnSelect) -> None:
    """Creators with what they earned, and how many runs and unlocks paid them."""
    rows = [
        {"Creator": creator, "Earned": earned.earned_credits, "Paid runs": earned.runs, "Unlocks": earned.unlocks}
        for creator, earned in totals
    ]
    _draw(rows, {"Earned": "Dollars"}, alt=alt, key=key, on_select=on_select)


def works(totals: Sequence[WorkTotals], *, noun: str, alt: str) -> None:
    """Prompts or flows with the fees they brought in."""
    rows = [
        {
            noun: one.work_id,
            "Creator": one.creator_id,
            "Uses": one.uses,
            "Fees": one.fees_credits,
            "Creator share": one.creator_share_credits,
        }
        for one in totals
    ]
    _draw(rows, {"Fees": "Fees, dollars", "Creator share": "Creator share, dollars"}, alt=alt)


def unlocks(listed: Sequence[ListedUnlock], *, alt: str) -> None:
    """Unlocks of flows, refunded ones marked."""
    rows = [
        {
            "Entry": one.entry_id,
            clock.label(_POSTED): one.created_at,
            "Flow": one.flow_id,
            "User": one.user_id,
            "Creator": one.creator_id,
            "Fee": one.unlock_fee_credits,
            "Refunded": "Yes" if one.refunded_by_entry_id else "",
        }
        for one in listed
    ]
    _draw(rows, {"Fee": "Dollars"}, alt=alt)


def replayed(groups: Sequence[Group], *, noun: str, alt: str) -> None:
    """Models and users with what was paid, or creators with what they received, as recorded and under plan B."""
    rows: list[dict[str, object]] = []
    for one in groups:
        change = one.creators if noun == "Creator" else one.users
        rows.append(
            {
                noun: one.name,
                "Charges": one.charges,
                "Refused": one.refused,
                "Recorded": change.recorded_credits,
                "Plan B": change.plan_credits,
                "Difference": change.difference_credits,
                "Platform change": one.platform.difference_credits,
            }
        )
    _draw(rows, {"Difference": "Dollars"}, alt=alt)


def standings(listed: Sequence[tuple[str, str, int, int]], *, alt: str) -> None:
    """Users and creators with what they gain or lose: name, role, credits and how many of their charges are refused."""
    rows = [
        {"Who": name, "Role": role, "Credits": credits, "Refused": refused} for name, role, credits, refused in listed
    ]
    _draw(rows, {"Credits": "Dollars"}, alt=alt)


def _times(listed: Sequence[ListedTransaction]) -> list[dict[str, datetime | None]]:
    """For each transaction its columns of time: when it was posted, and when its run took place if any differs."""
    if any(one.used_at is not None and abs(one.created_at - one.used_at) >= _SAME_TIME for one in listed):
        return [{clock.label(_POSTED): one.created_at, clock.label(_USED): one.used_at} for one in listed]
    return [{clock.label(_POSTED): one.created_at} for one in listed]


def _draw(
    rows: Sequence[Mapping[str, Any]],
    dollars: Mapping[str, str],
    *,
    alt: str,
    key: str | None = None,
    on_select: OnSelect | None = None,
) -> None:
    # `dollars` maps each column of credits to the name of the column with its dollar value, drawn after it.
    columns: dict[str, pd.Series[Any]] = {}
    config: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        whole_numbers = all(value is None or isinstance(value, int) for value in values)
        # The browser's own copy and download of a table put its cells into spreadsheets as they are.
        safe_values = [csv_files.safe_text(value) if isinstance(value, str) else value for value in values]
        columns[name] = pd.Series(safe_values, dtype="Int64" if whole_numbers else None)
        if name in dollars:
            config[name] = show.credits_column(name, width=_width(name, values))
            in_dollars = dollars[name]
            # Six decimals each, so that the points stand under each other.
            columns[in_dollars] = pd.Series(
                [None if value is None else format_usd(value, decimals=6) for value in values]
            )
            config[in_dollars] = st.column_config.TextColumn(in_dollars, alignment="right")
        elif any(isinstance(value, datetime) for value in values):
            config[name] = st.column_config.DatetimeColumn(
                name,
                format="YYYY-MM-DD HH:mm",
                timezone=resources.zone().name,
                help=_TIMES.get(name.partition(" ")[0]),
                width=max(_MINUTE_PIXELS, _PIXELS_PER_DIGIT * len(name)),
            )
        elif whole_numbers and name in _WHOLE_CREDITS:
            config[name] = show.credits_column(name, width=_width(name, values))
        elif whole_numbers:
            config[name] = st.column_config.NumberColumn(name, format="%d" if name == "Entry" else "%,d")
    height: Literal["content", "auto"] = "content" if len(rows) <= _SHOWN_WHOLE else "auto"
    st.dataframe(
        pd.DataFrame(columns),
        width="stretch",
        hide_index=True,
        column_config=config,
        placeholder="–",
        key=_drawn_key(key) if key else None,
        on_select=on_select or "ignore",
        selection_mode=_SELECTED_BY,
        height=height,
        alt=alt,
    )


def _width(name: str, amounts: Sequence[int | None]) -> int:
    # The browser measures numbers before it groups them, and would cut the first digits off the longest ones.
    longest = max(len(name), *(len(format_credits(amount or 0)) for amount in amounts))
    return max(_NARROWEST, _PIXELS_PER_DIGIT * longest + _CELL_PADDING)


def _drawn_key(key: str) -> str:
    return f"{key}:{st.session_state.get(f'{key}:taken', 0)}"
