"""Shows a sentence and a reference when a page fails; the traceback goes only to the log.

A database that does not answer is no failure of the page, and is told as what it is.
"""

import logging

import streamlit as st

from credits_core import logs
from credits_core.store.database import is_out_of_reach
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting, Unavailable

_log = logging.getLogger("promptflow.dashboard")


def hide_and_log(failure: Exception) -> bool:
    """Log the failure with a reference, show the reference, and keep Streamlit from showing the traceback."""
    reference = (logs.request_id() or logs.begin())[:8]  # a part that draws itself anew has none yet
    _log.error("a screen failed", extra={"reference": reference}, exc_info=failure)
    if isinstance(failure, DeadlinePassed | TooManyWaiting | Unavailable) or is_out_of_reach(failure):
        st.warning(
            f"Reload the page in a moment. If it stays so, report the reference {reference}, which is also in the log.",
            title="The database does not answer",
            icon=":material/hourglass_disabled:",
        )
        return True
    st.error(
        f"Reload the page. If it fails again, report the reference {reference}, which is also in the log.",
        title="This page could not be shown",
        icon=":material/error:",
    )
    return True
