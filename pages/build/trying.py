"""Tries a call: choose it, change its body, send it for real, and see the answer beside it."""

import json
from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import hold_rows
from credits_core.ledger.accounts import UserBalance
from credits_core.ledger.requests import ChargeRequest
from credits_core.values.roles import May
from pages.act import running
from pages.build import examples, keys, refusals, sending
from pages.build.examples import Example
from pages.build.sending import Answer, NoAnswer
from pages.parts import balance, choose, done, filters, model_choice, pick, resources, who, words

PROMPT = "api-example"
INPUT_TOKENS, OUTPUT_TOKENS = 1_000, 200
_ANSWER, _SHOWN = "api:answer", "api:shown"
_TABS = ("Answer", "curl", "Python")
_BODY_PIXELS, _ANSWER_PIXELS = 165, 300


def draw(known: list[UserBalance], address: str) -> None:
    """The card with the call at the left and its answer, or the call as a command, at the right."""
    with st.grid(2, min_column_width=380) as grid:
        with grid.cell(), st.container(border=True, gap="small"):
            call = _choose(known)
        with grid.cell(), st.container(border=True, gap="small"):
            _answer_and_examples(call, address)


def _choose(known: list[UserBalance]) -> Example | None:
    with st.grid(2, min_column_width=150):
        user_id = choose.user(known)
        model = model_choice.choose()
    if model is None:
        return None
    tokens = (INPUT_TOKENS, OUTPUT_TOKENS) if model.is_usage_priced else (None, None)
    run = ChargeRequest(user_id, PROMPT, model.id, input_tokens=tokens[0], output_tokens=tokens[1])
    quote = running.price(run)
    now = datetime.now(UTC)
    with resources.reading() as connection:
        newest = hold_rows.holds_of(connection, user_id, limit=1)
    calls = examples.examples(run, next((one.id for one in newest if one.state(now) == "open"), None))
    call = calls[pick.one("Call", list(calls), key="example", usual="Balance", is_labelled=False)]
    with st.container(gap="xxsmall"):
        st.caption(f"{words.plain(f'{call.method} {call.path}')} · {call.allowed}")
        if call.idempotency_key and quote:
            st.caption(f":material/toll: The run costs {words.both(quote.total_credits)}.")
            balance.enough(user_id, quote.total_credits, 1)
    if call.body:
        body = st.text_area("Body", call.body, height=_BODY_PIXELS, help="Change it as you like. It is sent as it is.")
        call = examples.with_body(call, body)
    key = _key()
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Send", type="primary", icon=":material/send:", key="api_send"):
            _send(call, key)
        if call.idempotency_key:
            st.button(
                "New idempotency key",
                icon=":material/restart_alt:",
                on_click=examples.use_new_idempotency_keys,
                help=f"Now `{call.idempotency_key}`. With the same key and body it charges once.",
            )
    return call


def _key() -> str:
    made = keys.in_use()
    if made is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/key: Sent with the key **{words.plain(made.name)}**", width="content")
            st.button("Use another key", type="tertiary", on_click=keys.forget)
        return made.key
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pasted = st.text_input(
            "API key",
            type="password",
            placeholder="pfk_…",
            key="api_key",
            autocomplete="off",
            help="It stays in this session and is not stored.",
        )
        if who.may(May.MANAGE):
            st.button(
                "Make a key for today",
                icon=":material/key:",
                on_click=keys.make_for_today,
                help="A service key that expires in 24 hours. Copy it from Keys below.",
            )
    return filters.typed(pasted)


def _send(call: Example, key: str) -> None:
    answer = sending.send(call, key=key, server=sending.this_server())
    st.session_state[_ANSWER], st.session_state[_SHOWN] = answer, _TABS[0]
    if isinstance(answer, Answer) and (entry_id := answer.fields.get("entry_id")) and answer.status == 201:
        done.add("API", f"Sent {call.path}", link=done.link_to_entry(entry_id), is_shown=False)


def _answer_and_examples(call: Example | None, address: str) -> None:
    answer_tab, in_shell, in_python = st.tabs(_TABS, key=_SHOWN, on_change="rerun")
    with answer_tab:
        answer: Answer | NoAnswer | None = st.session_state.get(_ANSWER)
        if answer is None:
            st.info("Press Send to see the answer here.", title="Nothing sent yet", icon=":material/send:")
        elif isinstance(answer, NoAnswer):
            st.error(
                f"{words.plain(answer.reason)}. Press Send again: nothing is charged twice.",
                title="No answer",
                icon=":material/cloud_off:",
            )
        else:
            _answer(answer)
    if call is None:
        return
    for tab, code, language in (
        (in_shell, examples.curl(call, address), "bash"),
        (in_python, examples.python(call, address), "python"),
    ):
        with tab:
            st.code(code, language, height=_ANSWER_PIXELS)
            st.caption(f"It reads the key from the environment variable {words.plain(examples.KEY_VARIABLE)}.")


def _answer(answer: Answer) -> None:
    request_id = answer.headers.get("X-Request-Id", "")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(sending.in_words(answer.status), color=refusals.colour(answer.status))
        if answer.headers.get("Idempotent-Replayed") == "true":
            st.badge("Repeated, not charged again", icon=":material/content_copy:", color="blue")
        st.caption(f"{words.plain(f'{answer.method} {answer.path}')} in {answer.latency_ms:,.0f} ms", width="content")
    fields = answer.fields
    if answer.status >= 400:
        refusals.sentence(str(fields.get("detail", "")), str(fields.get("code", "")))
    st.code(json.dumps(fields, indent=2, ensure_ascii=False) if fields else answer.text, "json", height=_ANSWER_PIXELS)
    with st.container(horizontal=True, vertical_alignment="center"):
        written = fields.get("entry_id") if answer.status < 400 else None
        refusals.links_from(fields, entry_id=written, path=answer.path)
        st.caption(f"X-Request-Id {request_id}", width="content")
