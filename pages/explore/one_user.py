"""One user in full: role, balance and runs left, what one can do, the balance over time and the latest transactions."""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter, UserBalance
from credits_core.ledger.refusals import UnknownUser
from credits_core.reports import sums, users
from credits_core.reports.sums import AccountFlow
from credits_core.reports.users import Role
from credits_core.values.days import DayRange
from credits_core.values.roles import May
from credits_core.values.text import format_credits
from pages.explore import charts as explore_charts
from pages.explore import limits_of_user, parts_of_user, trial_user
from pages.parts import amounts, charts, links, resources, show, tables, who, words

_LATEST = 8
_ROLES = {Role.USER: "User", Role.CREATOR: "Creator", Role.BOTH: "User and creator"}


def show_in_full(user_id: str, days: DayRange, median_credits: int | None, show_all: Callable[[], None]) -> None:
    """Show the user, or that there is none with this id. `show_all` leads back to all users, as a callback.

    The role is what the user was on these days. `median_credits` is what a typical run costs; None if there was no run.
    """
    first_line = st.container(horizontal=True, vertical_alignment="center")
    first_line.button("All users", icon=":material/arrow_back:", on_click=show_all)
    try:
        with resources.reading() as connection:
            user = accounts.user(connection, user_id)
            role = users.roles(connection, [user_id], days.zone)[user_id]
            flow = sums.account_flow(connection, user_id)
            points = accounts.balance_history(connection, user_id)
            latest = accounts.transactions(connection, TransactionFilter(account_id=user_id), limit=_LATEST)
    except UnknownUser as error:
        st.info(words.plain(str(error)), title="No such user", icon=":material/person_off:")
        return
    with first_line:
        _name_and_actions(user, role, median_credits)
    _figures(user, flow, median_credits)
    limits_of_user.show_left(user_id)
    parts_of_user.show_beside(user_id)
    if not latest:
        st.info(
            f"{words.plain(user_id)} has no transactions yet.",
            title="Nothing has happened yet",
            icon=":material/hourglass_empty:",
        )
        return
    charts.card(
        "Balance over time",
        explore_charts.balance_line(points, datetime.now(UTC)),
        key="balance-over-time",
        alt=f"The balance of {user_id} over time",
    )
    st.header("Latest transactions", anchor=False)
    tables.transactions_of_one(latest, key="latest", opens=_open_entry, alt=f"The latest transactions of {user_id}")
    st.page_link(
        "explore/history.py",
        label=f"All {format_credits(flow.transactions)} transactions of {words.plain(user_id)}",
        icon=":material/receipt_long:",
        query_params=links.link_to(user=user_id, period="all"),
    )


def _open_entry(one: ListedTransaction) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(user=one.account_id, entry=str(one.entry_id)))


def _figures(user: UserBalance, flow: AccountFlow, median_credits: int | None) -> None:
    left = users.runs_left(user.balance_credits, median_credits)
    with show.metric_grid(user.balance_credits, flow.received_credits, flow.given_credits):
        show.metric("Balance", user.balance_credits, colour="blue")
        st.metric(
            "Runs left",
            "–" if left is None else format_credits(left),
            delta=None if median_credits is None else f"at {amounts.first(median_credits)} each".replace("$", r"\$"),
            delta_color="gray",
            delta_arrow="off",
            border=True,
            height="stretch",
            help="The balance divided by the median total of a run, of 30 days and all users.",
        )
        show.metric("Credits in", flow.received_credits, help_text="Everything the user ever received.")
        show.metric("Credits out", flow.given_credits, help_text="Everything the user ever paid or gave back.")


def _name_and_actions(user: UserBalance, role: Role, median_credits: int | None) -> None:
    st.header(user.user_id, anchor=False, width="content")
    st.badge(_ROLES[role], color="gray")
    if users.is_low(user.balance_credits, median_credits, role):
        st.badge("Low balance", icon=":material/warning:", color="orange")
    trial_user.switch(user.user_id)
    st.space("stretch")
    if role is not Role.USER:
        st.page_link(
            "explore/creator_earnings.py",
            label="Statement",
            icon=":material/payments:",
            query_params=links.link_to(creator=user.user_id),
            width="content",
        )
    if who.may_for(user.user_id, May.CHARGE):
        st.page_link(
            "test_credits.py",
            label=f"Run as {words.plain(user.user_id)}",
            icon=":material/play_circle:",
            query_params=links.link_to(user=user.user_id),
            width="content",
        )
    if not who.may_for(user.user_id, May.MOVE_CREDITS):
        return
    st.page_link(
        "act/add_credits.py",
        label="Add credits",
        icon=":material/add_card:",
        query_params=links.link_to(user=user.user_id),
        width="content",
    )
    limits_of_user.button(user.user_id)
