"""For developers: make API keys, copy examples that run unchanged, and watch the calls come in."""

import pandas as pd
import streamlit as st

from credits_core.access import calls as call_log
from credits_core.access import keys as api_keys
from credits_core.ledger import accounts
from credits_core.ledger.requests import ChargeRequest
from pages.act import running
from pages.build import examples, keys
from pages.parts import balance, choose, csv_files, head, model_choice, pick, resources, show, words

PROMPT = "api-example"
ABOUT = """
The same server answers an HTTP API under `/api`: quote, charge, add credits, unlock, refund, and read balances.
Make a key, copy an example into a terminal, and see the call arrive below with its status and its reason.
"""
INPUT_TOKENS, OUTPUT_TOKENS = 1_000, 200


def status_colour(status: int) -> str:
    return "green" if status < 400 else "orange" if status < 500 else "red"


@st.fragment(run_every="2s")
def live_calls() -> None:
    calls = call_log.last_calls()
    if not calls:
        st.info(
            "Make a key and run an example. The call will show up here.",
            title="No call yet",
            icon=":material/hourglass_empty:",
        )
        return
    rows = [
        {
            "When (UTC)": call.at,
            "Status": [str(call.status)],
            "Code": call.code or None,
            "Call": csv_files.safe_text(f"{call.method} /api{call.path}"),
            "Key": csv_files.safe_text(call.key_name) or None,
            "Took": call.latency_ms,
            "Request id": call.request_id,
        }
        for call in calls
    ]
    statuses = sorted({call.status for call in calls})
    st.dataframe(
        pd.DataFrame(rows),
        width="stretch",
        hide_index=True,
        column_config={
            "When (UTC)": st.column_config.DatetimeColumn(format="HH:mm:ss", timezone="UTC"),
            "Status": st.column_config.MultiselectColumn(
                options=list(map(str, statuses)), color=[status_colour(status) for status in statuses]
            ),
            # The browser sizes columns by the first rows it sees, which may have no code and no key.
            "Code": st.column_config.TextColumn(width=170),
            "Call": st.column_config.TextColumn(width=220),
            "Key": st.column_config.TextColumn(width=120),
            "Took": st.column_config.NumberColumn(format="%.1f ms"),
        },
        placeholder="–",
        key="calls",
        alt="The last calls of the API, newest first",
    )


address = examples.address(st.context.url)
with head.line("API", "Make a key, try the API, watch the calls.", about=ABOUT):
    st.link_button("Read the documentation", f"{address}/api/docs", icon=":material/menu_book:")
with resources.reading() as connection:
    known = accounts.users(connection, limit=200)

with st.container(border=True):
    st.header("Make a key")
    keys.make([user.user_id for user in known])

with st.container(border=True):
    st.header("Try the API")
    if not known:
        show.add_credits_first()
    else:
        with st.grid(2, min_column_width=200):
            user_id = choose.user(known)
            model = model_choice.choose()
    if known and model:
        tokens = (INPUT_TOKENS, OUTPUT_TOKENS) if model.is_usage_priced else (None, None)
        run = ChargeRequest(user_id, PROMPT, model.id, input_tokens=tokens[0], output_tokens=tokens[1])
        quote = running.price(run)
        calls = examples.examples(run)
        title = pick.one("Call", list(calls), key="call", usual="Balance")
        call = calls[title]
        st.caption(f"{call.method} {call.path} · {call.allowed}")
        if call.idempotency_key and quote:
            st.caption(f":material/toll: The run costs {words.both(quote.total_credits)}.")
            balance.enough(user_id, quote.total_credits, 1)
        in_shell, in_python = st.tabs(["curl", "Python"])
        in_shell.code(examples.curl(call, address), "bash")
        in_python.code(examples.python(call, address), "python")
        st.caption(f"The examples read the key from the environment variable `{examples.KEY_VARIABLE}`.")

st.header("Last calls")
st.caption(f"Up to {call_log.KEPT_CALLS} calls since the server started. Updates every two seconds.")
live_calls()

st.header("Keys")
with resources.reading() as connection:
    records = api_keys.list_keys(connection)
if records:
    keys.table(records, alt="All keys, newest first")
else:
    st.info("Make one above.", title="No key yet", icon=":material/key:")
