"""One of a few options, side by side. A radio, because Streamlit's segments are hard to read in the dark theme."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import streamlit as st

Option = TypeVar("Option", bound=str)


def one(
    label: str,
    options: Sequence[Option],
    *,
    key: str,
    usual: Option | None = None,
    is_in_link: bool = True,
    is_labelled: bool = True,
    says: Callable[[Option], str] = str,
    help_text: str | None = None,
) -> Option:
    """The chosen option; until somebody chooses, the usual one, which is the first unless another one is named.

    `is_in_link` keeps the choice in the address under its key, by what the option says there.
    """
    bind: Literal["query-params"] | None = "query-params" if is_in_link else None
    chosen = st.radio(
        label,
        options,
        index=0 if usual is None else options.index(usual),
        format_func=says,
        key=key,
        bind=bind,
        horizontal=True,
        label_visibility="visible" if is_labelled else "collapsed",
        help=help_text,
    )
    # A link or another button may have chosen it by its text.
    return next((option for option in options if option == chosen), options[0])
