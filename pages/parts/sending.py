"""Sends long files while they are read, so that memory holds a page of them, however long they are.

Streamlit keeps a whole file in memory before a browser has it. So a screen offers the file here, and the browser asks
for it at an address of its own, which nobody can guess and which ends with the offer. Whoever asks is looked up again:
after the session ended, or without the right, nothing is sent. The offer lives in this process, as the session does.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

import streamlit as st
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from credits_core.access import exports
from credits_core.errors import CreditsError
from credits_core.store import database
from credits_core.values.roles import Actor

_MOST_OFFERS = 1_000
_GONE = "This file is not offered any more. Open the screen again and download it there.\n"


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that a visitor may ask for. `pieces` gives it from its beginning, each time it is asked for.

    `actor` says who the visitor is at that moment, and what they may do.
    """

    pieces: Callable[[], Iterator[bytes]]
    file_name: str
    mime: str
    detail: Mapping[str, str | int | None]
    actor: Callable[[], Actor]
    engine: Engine


_offers: OrderedDict[str, Offer] = OrderedDict()
_lock = Lock()


def address(key: str, offer: Offer) -> str:
    """Offer the file under `key` in place of this session's last one, and return the path at which it is sent."""
    token: str = st.session_state.setdefault(f"offer:{key}", secrets.token_urlsafe(32))
    with _lock:
        _offers[token] = offer
        _offers.move_to_end(token)
        while len(_offers) > _MOST_OFFERS:
            _offers.popitem(last=False)
    base = st.get_option("server.baseUrlPath").strip("/")
    below = f"/{base}" if base else ""
    return f"{below}/download/{token}"


def send(request: Request) -> Response:
    """Send an offered file, and note who has it first."""
    with _lock:
        offer = _offers.get(request.path_params["token"])
    if offer is None:
        return PlainTextResponse(_GONE, 404)
    now = datetime.now(UTC)
    try:
        actor = offer.actor()
        database.write(
            offer.engine, lambda one: exports.note(one, offer.file_name, detail=offer.detail, now=now, actor=actor)
        )
    except CreditsError as refusal:
        return PlainTextResponse(f"{refusal}\n", 403)
    headers = {"Content-Disposition": f'attachment; filename="{offer.file_name}"', "Cache-Control": "no-store"}
    return StreamingResponse(offer.pieces(), media_type=offer.mime, headers=headers)


ROUTE = Route("/download/{token}", send)
"""Where offered files are sent, for the server's table of routes."""
