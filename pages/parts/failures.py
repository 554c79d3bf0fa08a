"""Shows a sentence and a reference when a page fails; the traceback goes only to the log."""

import logging

import streamlit as st

from credits_core import logs

_log = logging.getLogger("promptflow.dashboard")


def hide_and_log(failure: Exception) -> bool:
    """Log the failure with a reference, show the reference, and keep Streamlit from showing the traceback."""
    reference = (logs.request_id() or logs.begin())[:8]  # a part that draws itself anew has none yet
    _log.error("a screen failed", extra={"reference": reference}, exc_info=failure)
    st.error(
        f"Reload the page. If it fails again, report the reference {reference}, which is also in the log.",
        title="This page could not be shown",
        icon=":material/error:",
    )
    return True
