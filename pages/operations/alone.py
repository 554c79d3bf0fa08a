"""Work that keeps the whole machine busy, such as a check of a large ledger: one visitor at a time, and no viewers."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import streamlit as st

_busy = Lock()


@contextmanager
def one_at_a_time() -> Iterator[bool]:
    """Whether the block may do its work. When somebody in this process is at such work already, a sentence says so."""
    is_free = _busy.acquire(blocking=False)
    try:
        if not is_free:
            st.warning(
                "One check or one damaged copy at a time. Try again in a minute; nothing was begun.",
                title="Somebody is at it already",
                icon=":material/hourglass_top:",
            )
        yield is_free
    finally:
        if is_free:
            _busy.release()
