"""The ASGI root: `streamlit run app.py` serves dashboard, API and metrics from one process on one port."""

import streamlit as st

from credits_core.api import app as api
from pages.parts.failures import hide_and_log

app = st.App("pages/navigation.py", routes=api.routes, on_script_error=hide_and_log)
