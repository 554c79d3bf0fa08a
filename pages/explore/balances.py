"""Lists and searches balances with roles and runs left; for one user, shows what moved it and what to do next."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter, UserBalance
from credits_core.ledger.refusals import UnknownUser
from credits_core.reports import sums, users
from credits_core.reports.users import Role
from credits_core.values.days import DayRange
from credits_core.values.text import counted, format_credits
from pages.explore import charts as explore_charts
from pages.parts import amounts, charts, filters, head, links, resources, show, tables, words

PAGE = 25
LATEST = 8
_ROLES = {Role.USER: "User", Role.CREATOR: "Creator", Role.BOTH: "User and creator"}
ABOUT = """
What every user holds now, and how many runs that is at the median price. Low is fewer than 5 runs.
A user is anybody with an account: people who run prompts and creators who earn.
Click a user to see credits in and out, and the balance over time.
"""


def choose(one: UserBalance) -> None:
    st.query_params["user"] = one.user_id


def show_all() -> None:
    st.query_params.pop("user", None)


def open_entry(one: ListedTransaction) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(user=user.user_id, entry=str(one.entry_id)))


def _name_and_actions(user: UserBalance, role: Role) -> None:
    st.header(user.user_id, anchor=False, width="content")
    st.badge(_ROLES[role], color="gray")
    if users.is_low(user.balance_credits, median_credits, role):
        st.badge("Low balance", icon=":material/warning:", color="orange")
    st.space("stretch")
    if role is not Role.USER:
        st.page_link(
            "explore/creator_earnings.py",
            label="Statement",
            icon=":material/payments:",
            query_params=links.link_to(creator=user.user_id),
            width="content",
        )
    st.page_link(
        "test_credits.py",
        label=f"Run as {words.plain(user.user_id)}",
        icon=":material/play_circle:",
        query_params=links.link_to(user=user.user_id),
        width="content",
    )
    st.page_link(
        "act/add_credits.py",
        label="Add credits",
        icon=":material/add_card:",
        query_params=links.link_to(user=user.user_id),
        width="content",
    )


with head.line("Balances", "What every user holds.", about=ABOUT):
    search = filters.typed(
        st.text_input(
            "Search",
            type="search",
            placeholder="Part of a user's id",
            live=True,
            key="search",
            bind="query-params",
            on_change=show_all,
            label_visibility="collapsed",
            width=240,
        )
    )
# Not bound to a filter, because then a link to the history could not carry it along.
user_id = filters.typed(st.query_params.get("user"))

resources.keep_totals_quick()
median_credits = resources.median_run_credits()
every_day = DayRange(zone=resources.zone())

if user_id:
    first_line = st.container(horizontal=True, vertical_alignment="center")
    first_line.button("All users", icon=":material/arrow_back:", on_click=show_all)
    with resources.reading() as connection:
        try:
            user = accounts.user(connection, user_id)
        except UnknownUser as error:
            st.info(words.plain(str(error)), title="No such user", icon=":material/person_off:")
            st.stop()
        role = users.roles(connection, [user_id], every_day)[user_id]
        flow = sums.account_flow(connection, user_id)
        points = accounts.balance_history(connection, user_id)
        latest = accounts.transactions(connection, TransactionFilter(account_id=user_id), limit=LATEST)
    with first_line:
        _name_and_actions(user, role)
    with show.metric_grid(user.balance_credits, flow.received_credits, flow.given_credits):
        show.metric("Balance", user.balance_credits, colour="blue")
        left = users.runs_left(user.balance_credits, median_credits)
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
    if not latest:
        st.info(
            f"{user.user_id} has no transactions yet.",
            title="Nothing has happened yet",
            icon=":material/hourglass_empty:",
        )
        st.stop()
    charts.card(
        "Balance over time",
        explore_charts.balance_line(points, datetime.now(UTC)),
        key="balance-over-time",
        alt=f"The balance of {user.user_id} over time",
    )
    st.header("Latest transactions", anchor=False)
    tables.transactions_of_one(latest, key="latest", opens=open_entry, alt=f"The latest transactions of {user.user_id}")
    st.page_link(
        "explore/history.py",
        label=f"All {format_credits(flow.transactions)} transactions of {user.user_id}",
        icon=":material/receipt_long:",
        query_params=links.link_to(user=user.user_id),
    )
    st.stop()

start = filters.page_start("balances:page", search, "")
with resources.reading() as connection:
    in_all = accounts.user_count(connection, search=search)
    found = accounts.users(connection, search=search, after_user_id=start, limit=PAGE + 1)
    listed = found[:PAGE]
    roles = users.roles(connection, [one.user_id for one in listed], every_day)

if not listed:
    if search:
        st.info(
            f"No user's id contains “{words.plain(search)}”. Search for a shorter part of it.",
            icon=":material/search_off:",
        )
    else:
        st.info("Adding credits creates the user.", title="No users yet", icon=":material/person_add:")
        st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
    st.stop()

median = "" if median_credits is None else f" A typical run costs {words.both(median_credits)}."
st.caption(f"{counted(in_all, 'user')}. Click one to see the details.{median}")
tables.users(
    listed,
    key="balances",
    opens=choose,
    alt="Users with their balances",
    roles=roles,
    median_credits=median_credits,
)
with st.container(horizontal=True, vertical_alignment="center"):
    filters.page_buttons("balances:page", listed[-1].user_id if len(found) > PAGE else None)
