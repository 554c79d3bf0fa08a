"""The ASGI root: `streamlit run app.py` serves dashboard, API and metrics from one process on one port."""

import sys

import streamlit as st
from starlette.middleware import Middleware

from credits_core import settings
from credits_core.access import guard
from credits_core.api import app as api
from credits_core.api import lifespan
from credits_core.api.root import middleware, with_base_path
from credits_core.errors import CreditsError
from credits_core.settings import SignIn
from pages.parts import sending
from pages.parts.failures import hide_and_log
from pages.parts.reach import OnlyThisMachine, provider_section

try:
    settings.sign_in_domains()
    settings.sign_in_check()
    around = middleware()
    settings.four_eyes_above_credits()
    settings.test_user_prefix()
    settings.stripe()
    way = settings.sign_in()
    guard.require_guarded(st.get_option("server.address"), way)
    if way is SignIn.OIDC:
        guard.require_provider(provider_section(), trusted_headers=st.get_option("server.trustedUserHeaders"))
except CreditsError as refusal:
    sys.exit(f"error: {refusal}")

app = st.App(
    "pages/navigation.py",
    routes=with_base_path([*api.routes, sending.ROUTE], st.get_option("server.baseUrlPath")),
    lifespan=lifespan,
    middleware=[*around, *([Middleware(OnlyThisMachine)] if way is SignIn.LOCAL else [])],
    on_script_error=hide_and_log,
)
