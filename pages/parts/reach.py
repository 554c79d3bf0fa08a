"""From where the dashboard is reached, whatever started its server, and what Streamlit knows of the provider."""

from collections.abc import Mapping

import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from streamlit.errors import StreamlitSecretNotFoundError

from credits_core.access import guard
from credits_core.access.refusals import NotGuarded

_POLICY_VIOLATION = 1008


def provider_section() -> Mapping[str, object]:
    """The section `[auth]` of `.streamlit/secrets.toml`; empty when there is none."""
    try:
        section: Mapping[str, object] = st.secrets.get("auth", {})
    except StreamlitSecretNotFoundError:
        return {}
    return section


class OnlyThisMachine:
    """ASGI middleware: without sign-in nothing is answered at an address that other machines reach.

    `streamlit run` does not even start there. Another server, such as `uvicorn app:app --host 0.0.0.0`, does not tell
    where it listens before a request comes in.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Put it around an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what came in at loopback, and refuse all else."""
        address = str((scope.get("server") or ("",))[0])
        if scope["type"] == "lifespan" or guard.is_loopback(address):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION, "sign-in is off")(scope, receive, send)
        else:
            await PlainTextResponse(f"{NotGuarded(address or 'this address')}\n", 403)(scope, receive, send)
