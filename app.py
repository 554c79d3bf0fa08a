"""The ASGI root: `streamlit run app.py` serves dashboard, API and metrics from one process on one port."""

import streamlit as st

from credits_core.api import app as api
from credits_core.api import lifespan
from credits_core.api.root import with_base_path
from pages.parts.failures import hide_and_log

app = st.App(
    "pages/navigation.py",
    routes=with_base_path(api.routes, st.get_option("server.baseUrlPath")),
    lifespan=lifespan,
    on_script_error=hide_and_log,
)
