"""The ASGI root: `streamlit run app.py` serves the dashboard from one process on one port."""

import streamlit as st

from pages.parts.failures import hide_and_log

app = st.App("pages/navigation.py", on_script_error=hide_and_log)
