"""Finds anything from the sidebar: screens, entries by number, users, creators, prompts and price plans.

What is found stands above the screen, because below the box it would be out of sight on a small screen.
"""

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from credits_core.ledger import accounts
from pages.parts import filters, links, resources, words

_MOST_OF_A_KIND = 5
_KEY = "find"


@st.fragment
def box(screens: Sequence[StreamlitPage], place: DeltaGenerator) -> None:
    """A box to type in, and in the empty place links to what has that text in its name or id.

    Only this is drawn again as one types.
    """
    text = filters.typed(
        st.text_input(
            "Find anything",
            type="search",
            placeholder="Find anything",
            live=True,
            key=_KEY,
            label_visibility="collapsed",
            help="A screen, a user, a creator, a prompt, a price plan, or the number of an entry.",
        )
    )
    if not text:
        place.empty()
        return
    found = [*_screens(screens, text), *_entry(text), *_plans(text), *_prompts(text), *_users(text)]
    with place.container(border=True, horizontal=True, gap="small", key="found"):
        for page, label, icon, query in found:
            st.page_link(page, label=label, icon=f":material/{icon}:", query_params=query, width="content")
        if not found:
            st.caption("Nothing has this in its name or id.")


def forget() -> None:
    """Empty the box, because what was found has been opened. To be called before it is drawn."""
    st.session_state[_KEY] = ""


_Link = tuple[str | StreamlitPage, str, str, Mapping[str, str | list[str]]]


def _screens(screens: Sequence[StreamlitPage], text: str) -> list[_Link]:
    return [
        (page, page.title.partition(": ")[2], "open_in_browser", {})
        for page in screens
        if text.lower() in page.title.partition(": ")[2].lower()
    ]


def _entry(text: str) -> list[_Link]:
    number = text.removeprefix("#")
    if not filters.is_entry_number(number):
        return []
    return [("explore/history.py", f"Entry {number}", "receipt_long", links.carry_to(entry=number))]


def _plans(text: str) -> list[_Link]:
    ids = [plan_id for plan_id in resources.plans() if text.lower() in plan_id.lower()]
    return [
        ("plans/pricing_lab.py", words.plain(plan_id), "sell", links.carry_to(plan=plan_id))
        for plan_id in ids[:_MOST_OF_A_KIND]
    ]


def _prompts(text: str) -> list[_Link]:
    world = resources.demo()
    prompts = [
        prompt for prompt in (world.prompts if world else ()) if text.lower() in f"{prompt.id} {prompt.title}".lower()
    ]
    return [
        ("test_credits.py", words.plain(prompt.title), "play_circle", links.carry_to(prompt=prompt.id))
        for prompt in prompts[:_MOST_OF_A_KIND]
    ]


def _users(text: str) -> list[_Link]:
    with resources.reading() as connection:
        listed = accounts.users(connection, search=text, limit=_MOST_OF_A_KIND)
    return [
        ("explore/balances.py", words.plain(one.user_id), "person", links.carry_to(user=one.user_id)) for one in listed
    ]
