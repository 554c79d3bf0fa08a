"""Files with people's ids: a button for whoever may have them, and a line on record for each file that is prepared."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from credits_core import settings
from credits_core.access import exports
from credits_core.store import database, deadline
from credits_core.values.days import DayRange
from credits_core.values.roles import May
from pages.parts import resources, sending, who
from pages.parts.sending import Offer


def button(
    label: str,
    content: Callable[[], bytes],
    file_name: str,
    mime: str,
    *,
    icon: str,
    detail: Mapping[str, str | int | None],
    help_text: str | None = None,
    is_told: bool = True,
    width: Literal["content", "stretch"] = "content",
) -> None:
    """The button, for who may export people's ids; others are told whom to ask, unless they were told beside it.

    `detail` says what is in the file, such as the days.
    """
    if not (who.may_or_told if is_told else who.may)(May.EXPORT_PEOPLE):
        return
    later, engine = who.later(), resources.engine()

    def prepared() -> bytes:
        actor = later()  # the file is made when it is asked for, and they may have been removed since
        actor.require(May.EXPORT_PEOPLE)
        file = content()
        now = datetime.now(UTC)
        with deadline.within(settings.deadline_seconds()):
            database.write(engine, lambda one: exports.note(one, file_name, detail=detail, now=now, actor=actor))
        return file

    st.download_button(label, prepared, file_name, mime, icon=icon, on_click="ignore", help=help_text, width=width)


def streamed_button(
    label: str,
    pieces: Callable[[], Iterator[bytes]],
    file_name: str,
    mime: str,
    *,
    icon: str,
    detail: Mapping[str, str | int | None],
) -> None:
    """As `button`, for a file of any length: `pieces` gives it while it is sent."""
    if not who.may_or_told(May.EXPORT_PEOPLE):
        return
    offer = Offer(pieces, file_name, mime, detail, who.later(), resources.engine())
    st.link_button(label, sending.address(file_name, offer), icon=icon)


def in_words(days: DayRange) -> str:
    """The days as the record keeps them.

    >>> in_words(DayRange())
    'all days'
    """
    return "all days" if days.is_all else f"{days.first or 'the start'} to {days.last or 'now'}"
