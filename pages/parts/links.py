"""Links between screens that carry their filters."""

from contextlib import suppress
from urllib.parse import urlencode

import streamlit as st
from streamlit.errors import StreamlitAPIException


def arrive(screen: str) -> None:
    """Count the visits of screens; for the navigation, before it runs a screen."""
    if is_elsewhere(screen):
        st.session_state["screen"], st.session_state["visit"] = screen, visit() + 1


def is_elsewhere(screen: str) -> bool:
    """Whether somebody comes to this screen from another one, until `arrive`."""
    return bool(st.session_state.get("screen") != screen)


def visit() -> int:
    """The number of this visit, which is another one whenever somebody comes from another screen."""
    number: int = st.session_state.get("visit", 0)
    return number


def link_to(**chosen: str | list[str]) -> dict[str, str | list[str]]:
    """The query of a link to another page with these filters set and no others, whatever was left there.

    A period that is not named stays as it is: `**periods.in_link(…)` names it.

    >>> link_to(user="ada")
    {'user': 'ada', 'anew': ''}
    """
    return {**chosen, "anew": ""}


def carry_to(**chosen: str) -> dict[str, str | list[str]]:
    """As `link_to`, for a link between two pages that have these filters, typed ones, in common.

    Streamlit drops what is bound to an input of the page that a link stands on, so they travel under other names.

    >>> carry_to(entry="17")
    {'to_entry': '17', 'anew': ''}
    """
    return link_to(**{f"to_{name}": text for name, text in chosen.items()})


def follow_link(*names: str) -> None:
    """After `link_to` or `carry_to`, forget those of the filters that the link does not name.

    To be called before they are drawn.
    """
    if st.query_params.pop("anew", None) is not None:
        for name in names:
            carried = st.query_params.pop(f"to_{name}", None)
            if carried is not None:
                st.session_state[name] = carried
                # In the URL as well: the browser does not put back what it dropped from it. On the screen itself the
                # input holds the parameter, so that nobody else may set it.
                with suppress(StreamlitAPIException):
                    st.query_params[name] = carried
            elif name not in st.query_params:
                st.session_state.pop(name, None)


def copy_box() -> None:
    """A button that opens the address of this page as it is now, to be copied. Draw it after all inputs."""
    query = urlencode([(name, text) for name in st.query_params for text in st.query_params.get_all(name)])
    with st.popover("Copy link", icon=":material/link:", type="tertiary", key="copy-link"):
        st.code(f"{page_address(st.context.url or '')}?{query}", language=None, wrap_lines=True)
        st.caption("The link holds the plan and everything chosen here.")


def page_address(told: str) -> str:
    """The address of this page. Streamlit repeats a part of it when another page's path ends in the same way.

    >>> page_address("http://host/replay-/replay-history"), page_address("http://host/tools/scenario")
    ('http://host/replay-history', 'http://host/tools/scenario')
    """
    before, _, page = told.rpartition("/")
    base, _, left = before.rpartition("/")
    return f"{base}/{page}" if left.endswith("-") and page.startswith(left) else told
