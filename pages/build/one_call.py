"""One call in full: why it was refused and what to do, what was sent and answered, and what it is about."""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

import streamlit as st

from credits_core.access import calls
from credits_core.access.calls import LONGEST_BODY, Body, KeptCall
from pages.build import refusals, sending
from pages.parts import clock, resources, words

_DOCUMENTED = {
    **{
        f"/credits/{name}": f"credits/{name.replace('-', '_')}"
        for name in ("balance", "transactions", "calculate-cost", "add", "charge-prompt", "unlock-flow", "refund")
    },
    "/credits/flow-access": "credits/flow_access",
    "/credits/holds": "holds/make_hold",
    "/credits/limits": "limits/set_spending_limits",
    "/credits/low-balance-levels": "levels/set_low_balance_levels",
    "/credits/purchases": "purchases/purchases",
    "/payments/stripe/events": "purchases/stripe_events",
    "/models": "models/models",
}


def show_in_full(request_id: str, address: str, show_all: Callable[[], None]) -> None:
    """Show the call with this request id, or that it is not kept. `show_all` leads back to all calls, as a callback."""
    with resources.reading() as connection:
        call = calls.find(connection, request_id=request_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All calls", icon=":material/arrow_back:", on_click=show_all)
        if call is not None:
            st.header(f"{call.method} /api{call.path}", anchor=False, width="content")
            st.badge(sending.in_words(call.status), color=refusals.colour(call.status))
    if call is None:
        st.info(
            "Only the newest calls are kept, and a call is kept about a second after it was answered.",
            title="No such call",
            icon=":material/search_off:",
        )
        return
    if call.code:
        refusals.sentence(
            call.detail or _without_a_key(call), call.code, documentation=documentation(address, call.path)
        )
    _facts(call)
    with st.container(horizontal=True):
        bodies = [sending.fields_of(call.answer.text), sending.fields_of(call.request.text)]
        refusals.links_from(*bodies, dict(parse_qsl(call.query)), entry_id=call.entry_id, path=call.path)
    if not call.key_name:
        return
    with st.grid(2, min_column_width=340) as grid:
        with grid.cell():
            _body("Sent", call.request, query=call.query)
        with grid.cell():
            _body("Answered", call.answer)


_OF_A_HOLD = {"capture": "capture_hold", "release": "release_hold"}


def documentation(address: str, path: str) -> str:
    """Where the running server describes this path, with an example of every refusal.

    >>> documentation("http://host", "/credits/charge-prompt"), documentation("http://host", "/x")
    ('http://host/api/docs#/credits/charge_prompt', 'http://host/api/docs')
    """
    folder, _, rest = path.removeprefix("/credits/").partition("/")
    deeper = rest.partition("/")[2]
    of_one = {
        "entries": "credits/entry",
        "holds": f"holds/{_OF_A_HOLD.get(deeper, 'hold')}",
        "purchases": f"purchases/{deeper or 'purchase'}",
    }
    known = of_one[folder] if rest and folder in of_one else _DOCUMENTED.get(path)
    return f"{address}/api/docs{f'#/{known}' if known else ''}"


def _without_a_key(call: KeptCall) -> str:
    if call.code == "unauthorized":
        return "The call had no valid key. What such a caller sends is not kept."
    return "What a caller without a valid key sends is not kept."


def _facts(call: KeptCall) -> None:
    facts = {
        "By": words.plain(call.key_name) or "nobody with a valid key",
        clock.label("At"): f"{clock.shown(call.at):%Y-%m-%d %H:%M:%S}",
        "Took": f"{call.latency_ms:,.1f} ms",
        "Request id": call.request_id,
        "Idempotency-Key": words.plain(call.idempotency_key),
    }
    st.caption(" · ".join(f"{name}: {said}" for name, said in facts.items() if said))


def _body(heading: str, body: Body, *, query: str = "") -> None:
    st.header(heading, anchor=False)
    if query:
        st.code(f"?{query}", language=None, wrap_lines=True)
    if body.whole_bytes:
        fields = sending.fields_of(body.text)
        st.code(json.dumps(fields, indent=2, ensure_ascii=False) if fields else body.text, "json", wrap_lines=True)
        if body.is_cut:
            st.caption(f"Cut after {LONGEST_BODY:,} of {body.whole_bytes:,} bytes.")
    elif not query:
        st.caption("No body.")
