"""Long tables, which look the same everywhere: what a row is about first, amounts by one rule, times with their zone.

An amount is shown in credits with its dollars beside it, or in dollars alone, as `amounts.switch` says. The cell that
names a thing is a button that opens it. In a narrow window the columns that matter least are left out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import pandas as pd
import streamlit as st

from credits_core.lab.replay.counterfactual import ReplayedRun
from credits_core.lab.replay.result import Group
from credits_core.lab.scenario.rows import MadeUpRun
from credits_core.ledger.accounts import ListedTransaction, UserBalance
from credits_core.reports.earnings import ListedUnlock, WorkTotals
from credits_core.reports.statements import CreatorStatement
from credits_core.reports.users import Role, is_low, runs_left
from credits_core.values.days import day_of
from credits_core.values.text import format_credits, format_usd, format_usd_rounded
from pages.parts import amounts, clock, csv_files, resources, show, window, words

Item = TypeVar("Item")
_WHOLE_CREDITS = {
    *("Gross fees", "Creator share", "Refunds", "Balance after", "Recorded", "Plan B", "Platform gains"),
    *("Inference", "Creator gets", "Platform gets"),
}
_MARKS_OF = {
    "blue": ("Waiting", "Running"),
    "gray": ("Never ran", "Not ended", "Not tried yet", "Another ledger's"),
    "green": ("Delivered", "Well", "Good"),
    "orange": ("Low", "Failed", "Died"),
    "red": ("Dead", "Broken", "Bad"),
}
_MARKS = {mark: colour for colour, marks in _MARKS_OF.items() for mark in marks}
_POSTED, _USED = "Posted", "Used"
_TIMES = {
    _POSTED: "When the entry was posted. Days count by this time.",
    _USED: "When the run took place, where its caller said so.",
}
_SAME_TIME = timedelta(minutes=1)
"""A run is posted a moment after it took place. A column that says nothing more is left out."""
_SHOWN_WHOLE = 25
_MINUTE_PIXELS = 125
"""The browser sizes a column by a few of its cells, and would cut a column of which most are empty."""
_PIXELS_PER_DIGIT, _CELL_PADDING, _NARROWEST = 8, 20, 75


def transactions(
    listed: Sequence[ListedTransaction],
    *,
    alt: str,
    key: str,
    opens: Callable[[ListedTransaction], None],
    as_payments: bool = False,
    as_events: bool = False,
) -> None:
    """Transactions of many accounts, each with what its entry was about; as payments, without the type.

    As events, each entry has one, so that what it was about says its type, too.
    """
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
        rows = _without(rows, ["Type"])
    _draw(
        rows,
        {"Credits": "Dollars"},
        alt=alt,
        key=key,
        opens={"Entry": _of(listed, opens)},
        if_wide=["Type" if as_events else "Dollars"],
    )


def transactions_of_one(
    listed: Sequence[ListedTransaction], *, alt: str, key: str, opens: Callable[[ListedTransaction], None]
) -> None:
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
    _draw(
        rows, {"Credits": "Dollars"}, alt=alt, key=key, opens={"Entry": _of(listed, opens)}, if_wide=["Type", "Dollars"]
    )


def activity(
    listed: Sequence[ListedTransaction], *, alt: str, key: str, opens: Callable[[ListedTransaction], None]
) -> None:
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
    _draw(rows, {"Credits": "Dollars"}, alt=alt, key=key, opens={"Entry": _of(listed, opens)})


def users(
    listed: Sequence[UserBalance],
    *,
    alt: str,
    key: str,
    opens: Callable[[UserBalance], None],
    with_since: bool = True,
    roles: Mapping[str, Role] | None = None,
    median_credits: int | None = None,
) -> None:
    """Users with their balances, and since when they are there.

    With `roles` there is also how many runs at the median price are left, whether those are few, and the role.
    """
    rows: list[dict[str, object]] = [{"User": one.user_id, "Balance": one.balance_credits} for one in listed]
    if roles is not None:
        rows = [
            {
                **row,
                "Runs left": runs_left(one.balance_credits, median_credits),
                "Mark": ["Low"] if is_low(one.balance_credits, median_credits, roles[one.user_id]) else [],
                "Role": roles[one.user_id].capitalize(),
            }
            for row, one in zip(rows, listed, strict=True)
        ]
    if with_since:
        rows = [{**row, clock.label("Since"): one.created_at} for row, one in zip(rows, listed, strict=True)]
    since = [clock.label("Since")]
    _draw(rows, {"Balance": "Dollars"}, alt=alt, key=key, opens={"User": _of(listed, opens)}, if_wide=since)


def creator_statements(
    listed: Sequence[CreatorStatement], *, alt: str, key: str, opens: Callable[[CreatorStatement], None]
) -> None:
    """Creators with their fees, their share, what refunds took back, and what is left."""
    rows = [
        {
            "Creator": one.creator_id,
            "Net": one.net_credits,
            "Gross fees": one.gross_fees_credits,
            "Creator share": one.share_credits,
            "Refunds": one.refunds_credits,
            "Runs": one.runs,
            "Unlocks": one.unlocks,
        }
        for one in listed
    ]
    creator, if_wide = _of(listed, opens), ["Runs", "Unlocks"]
    _draw(rows, {"Net": "Dollars"}, alt=alt, key=key, opens={"Creator": creator}, if_wide=if_wide)


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


def _in_part(credits: int) -> str:
    return f"{credits:,} in part" if credits else ""


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
            "Refunded": "Yes" if one.refunded_by_entry_id else _in_part(one.parts_credits),
        }
        for one in listed
    ]
    _draw(rows, {"Fee": "Dollars"}, alt=alt)


def replayed(groups: Sequence[Group], *, noun: str, alt: str, key: str, opens: Callable[[Group], None]) -> None:
    """Models and users with what users gain or lose, or creators with what they do; plus is better off.

    Beside it stands what users paid or creators received, as recorded and under plan B.
    """
    rows: list[dict[str, object]] = []
    for one in groups:
        change = one.creators if noun == "Creator" else one.users
        rows.append(
            {
                noun: one.name,
                "Gains": one.creators.difference_credits if noun == "Creator" else one.user_gain_credits,
                "Recorded": change.recorded_credits,
                "Plan B": change.plan_credits,
                "Platform gains": one.platform.difference_credits,
                "Refused": one.refused,
                "Charges": one.charges,
            }
        )
    _draw(rows, {"Gains": "Dollars"}, alt=alt, key=key, opens={noun: _of(groups, opens)})


def replayed_charges(
    listed: Sequence[ReplayedRun],
    *,
    for_creator: bool,
    alt: str,
    key: str,
    opens: Callable[[ReplayedRun], None] | None,
) -> None:
    """Charges as recorded and under plan B, with what the user (or the creator) of each gains or loses.

    A user neither gains nor loses by a charge that is refused. Runs that are no entries, which nothing opens, have
    their numbers.
    """
    rows = [
        {
            "Run" if opens is None else "Entry": one.entry_id,
            "Gains": one.creator_gain_credits if for_creator else one.user_gain_credits,
            "Recorded": one.recorded_share_credits if for_creator else one.recorded_total_credits,
            "Plan B": one.plan_share_credits if for_creator else one.plan_total_credits,
            "Outcome": "refused" if one.refused else "refunded" if one.refunded else "charged",
            "User": one.user_id,
            "Creator": one.creator_id or "",
            "Model": one.model_id or "Flow unlock",
            "Day": day_of(one.day_number).isoformat(),
        }
        for one in listed
    ]
    entry = {} if opens is None else {"Entry": _of(listed, opens)}
    _draw(rows, {"Gains": "Dollars"}, alt=alt, key=key, opens=entry, if_wide=["Creator", "Model", "Day"])


def made_up_runs(listed: Sequence[MadeUpRun], *, alt: str) -> None:
    """Runs of a scenario with who pays and who receives what; users and creators are numbers."""
    rows = [
        {
            "Run": one.number,
            "Total": one.total_credits,
            "Inference": one.inference_credits,
            "Creator gets": one.creator_credits,
            "Platform gets": one.platform_credits,
            "Outcome": "charged" if one.charged else "refused",
            "Model": one.model_id,
            "User": one.user,
            "Creator": one.creator,
            "Day": one.day,
        }
        for one in listed
    ]
    _draw(rows, {"Total": "Dollars"}, alt=alt, if_wide=["User", "Creator", "Day"])


def draw(
    rows: Sequence[Mapping[str, Any]],
    credits: Mapping[str, str | None],
    *,
    alt: str,
    key: str,
    opens: Mapping[str, Callable[[int], None]],
    if_wide: Collection[str] = (),
    pixels: Mapping[str, int] | None = None,
    money: Collection[str] = (),
) -> None:
    """Rows of a screen's own. `credits` names the columns of amounts, each with its column of dollars or without one.

    A click on a cell of a column in `opens` calls the function with the number of the row, from 0. The columns in
    `if_wide` are left out in a narrow window. `pixels` names columns of text that the browser would cut, with their
    widths; `money` those of text that are amounts in a currency.
    """
    _draw(rows, credits, alt=alt, key=key, opens=opens, if_wide=if_wide, pixels=pixels, money=money)


def _times(listed: Sequence[ListedTransaction]) -> list[dict[str, datetime | None]]:
    """For each transaction its columns of time: when it was posted, and when its run took place if any differs."""
    if any(one.used_at is not None and abs(one.created_at - one.used_at) >= _SAME_TIME for one in listed):
        return [{clock.label(_POSTED): one.created_at, clock.label(_USED): one.used_at} for one in listed]
    return [{clock.label(_POSTED): one.created_at} for one in listed]


def _draw(
    rows: Sequence[Mapping[str, Any]],
    dollars: Mapping[str, str | None],
    *,
    alt: str,
    key: str | None = None,
    opens: Mapping[str, Callable[[int], None]] | None = None,
    if_wide: Collection[str] = (),
    pixels: Mapping[str, int] | None = None,
    money: Collection[str] = (),
) -> None:
    # `dollars` maps each column of credits to the name of the column with its dollar value, drawn after it. `opens`
    # maps a column to what a click on one of its cells does; it is given the number of the row, from 0.
    if window.is_narrow():
        rows = _without(rows, if_wide)
        dollars = {name: None if beside in if_wide else beside for name, beside in dollars.items()}
    columns: dict[str, pd.Series[Any]] = {}
    config: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        whole_numbers = all(value is None or isinstance(value, int) for value in values)
        # The browser's own copy and download of a table put its cells into spreadsheets as they are.
        safe_values = [csv_files.safe_text(value) if isinstance(value, str) else value for value in values]
        if opens and name in opens:
            columns[name] = pd.Series([None if value is None else str(value) for value in safe_values])
            config[name] = st.column_config.ButtonColumn(
                name,
                type="tertiary",
                alignment="left",
                key=f"{key}:{name}",
                on_click=_clicked,
                args=(f"{key}:{name}", opens[name]),
            )
            continue
        if name in dollars:
            _amounts(columns, config, name, values, dollars[name])
            continue
        columns[name] = pd.Series(safe_values, dtype="Int64" if whole_numbers else None)
        if any(isinstance(value, datetime) for value in values):
            config[name] = st.column_config.DatetimeColumn(
                name,
                format="YYYY-MM-DD HH:mm",
                timezone=resources.zone().name,
                help=_TIMES.get(name.partition(" ")[0]),
                width=max(_MINUTE_PIXELS, _PIXELS_PER_DIGIT * len(name)),
            )
        elif all(isinstance(value, list) for value in values):
            config[name] = st.column_config.MultiselectColumn(name, options=list(_MARKS), color=list(_MARKS.values()))
        elif name in money:
            config[name] = st.column_config.TextColumn(name, alignment="right")
        elif pixels and name in pixels:
            config[name] = st.column_config.TextColumn(name, width=pixels[name])
        elif whole_numbers and name in _WHOLE_CREDITS:
            _amounts(columns, config, name, values, None)
        elif whole_numbers:
            config[name] = st.column_config.NumberColumn(name, format="%d" if name == "Entry" else "%,d")
    height: Literal["content", "auto"] = "content" if len(rows) <= _SHOWN_WHOLE else "auto"
    st.dataframe(
        pd.DataFrame(columns),
        width="stretch",
        hide_index=True,
        column_config=config,
        placeholder="–",
        height=height,
        alt=alt,
    )


def _without(rows: Sequence[Mapping[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def _amounts(
    columns: "dict[str, pd.Series[Any]]",
    config: dict[str, Any],
    name: str,
    amounts_credits: Sequence[int | None],
    in_dollars: str | None,
) -> None:
    if amounts.in_dollars():
        # Six decimals each, so that the points stand under each other.
        columns[name] = pd.Series(
            [None if credits is None else format_usd(credits, decimals=6) for credits in amounts_credits]
        )
        config[name] = st.column_config.TextColumn(name, alignment="right")
        return
    columns[name] = pd.Series(amounts_credits, dtype="Int64")
    config[name] = show.credits_column(name, width=_width(name, amounts_credits))
    if in_dollars is not None:
        columns[in_dollars] = pd.Series(
            [None if credits is None else format_usd_rounded(credits) for credits in amounts_credits]
        )
        config[in_dollars] = st.column_config.TextColumn(in_dollars, alignment="right")


def _clicked(key: str, opens: Callable[[int], None]) -> None:
    opens(st.session_state[key].row)


def _of(listed: Sequence[Item], opens: Callable[[Item], None]) -> Callable[[int], None]:
    return lambda row: opens(listed[row])


def _width(name: str, amounts: Sequence[int | None]) -> int:
    # The browser measures numbers before it groups them, and would cut the first digits off the longest ones.
    longest = max(len(name), *(len(format_credits(amount or 0)) for amount in amounts))
    return max(_NARROWEST, _PIXELS_PER_DIGIT * longest + _CELL_PADDING)
