"""The first line of a screen: its title, one sentence, what there is to know about it, who is there, its filters."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.parts import done, guidance, sign_in


@contextmanager
def line(title: str, caption: str, *, about: str) -> Iterator[None]:
    """Title and caption, with the filters that are drawn in the block to their right; a period takes a line of its own.

    `about` answers "What am I looking at?" in about three sentences of Markdown; below them are links to the pages of
    the guide about this screen. Under the line stands what was done last on this screen, until somebody puts it away.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="head"):
        st.title(title, anchor=False, width="content")
        st.caption(caption, width="stretch")
        with st.popover("", icon=":material/help:", type="tertiary", help="What am I looking at?"):
            st.markdown(about)
            guidance.links_for(title)
        sign_in.account()
        yield
    done.last(title)
