"""Lists and searches balances, with roles and how many runs are left; opens one user in full."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import UserBalance
from credits_core.reports import users
from credits_core.values.days import DayRange
from credits_core.values.text import counted
from pages.explore import one_user
from pages.parts import filters, head, links, resources, tables, words

PAGE = 25
ABOUT = """
What every user holds now, and how many runs that is at the median price. Low is fewer than 5 runs.
A user is anybody with an account: people who run prompts and creators who earn.
Click a user to see credits in and out, and the balance over time.
"""


def choose(one: UserBalance) -> None:
    st.query_params["user"] = one.user_id


def show_all() -> None:
    st.query_params.pop("user", None)


links.follow_link("user", "search")
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
    one_user.show_in_full(user_id, every_day, median_credits, show_all)
    st.stop()

start = filters.page_start("balances:page", search, "")
with resources.reading() as connection:
    in_all = accounts.user_count(connection, search=search)
    found = accounts.users(connection, search=search, after_user_id=start, limit=PAGE + 1)
    listed = found[:PAGE]
    roles = users.roles(connection, [one.user_id for one in listed], every_day.zone)

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
