"""For developers: try a call and see its answer, find out why a call was refused, and make and replace API keys."""

import streamlit as st

from credits_core.access import keys as api_keys
from credits_core.ledger import accounts
from pages.build import call_list, examples, keys, one_call, trying
from pages.parts import choose, filters, head, links, resources, show

ABOUT = """
The same server answers an HTTP API under `/api`: quote, charge, add credits, unlock, refund, and read balances.
Send a call and see its answer. Below are the last calls of all callers: open one to see why it was refused. Nothing
secret is kept of them.
"""


def show_all() -> None:
    st.query_params.pop("call", None)


links.follow_link("user", "model", "example", "call", *call_list.FILTERS)
address = examples.address(st.context.url)
with head.line("API", "Try a call, see every call, make keys.", about=ABOUT):
    st.link_button("Read the documentation", f"{address}/api/docs", icon=":material/menu_book:")

# Not bound to an input, as the user of Balances: a call is opened by a click or by a link.
request_id = filters.typed(st.query_params.get("call"))
if request_id:
    one_call.show_in_full(request_id, address, show_all)
    st.stop()

with resources.reading() as connection:
    known = accounts.users(connection, limit=choose.LISTED_USERS)
    records = api_keys.list_keys(connection)
if known:
    trying.draw(known, address)
else:
    show.add_credits_first()
last_calls, all_keys = st.tabs(["Last calls", "Keys"])
with last_calls:
    call_list.draw()
with all_keys:
    with st.container(border=True):
        st.header("Make a key", anchor=False)
        keys.make([user.user_id for user in known])
    if records:
        keys.table(records, alt="All keys, newest first")
    else:
        st.info("Make one above.", title="No key yet", icon=":material/key:")
