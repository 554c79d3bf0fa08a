"""Shows a sentence and a reference when a page fails; the traceback goes only to the log."""

import logging
import uuid

import streamlit as st

_log = logging.getLogger("promptflow.dashboard")


def hide_and_log(failure: Exception) -> bool:
    """Log the failure with a reference, show the reference, and keep Streamlit from showing the traceback."""
    reference = uuid.uuid4().hex[:8]
    _log.error("A page failed, reference %s", reference, exc_info=failure)
    st.error(
        f"Reload the page. If it fails again, report the reference {reference}, which is also in the log.",
        title="This page could not be shown",
        icon=":material/error:",
    )
    return True
