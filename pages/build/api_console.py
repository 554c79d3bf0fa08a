"""For developers: try a call and see its answer, find out why a call was refused, and make and replace API keys."""

import streamlit as st

from credits_core.access import keys as api_keys
from credits_core.ledger import accounts
from credits_core.values.roles import May
from pages.build import call_list, examples, keys, limits_of_keys, one_call, trying
from pages.parts import choose, filters, head, links, resources, show, who

ABOUT = """
The same server answers an HTTP API under `/api`: quote, charge, add credits, unlock, refund, and read balances.
Send a call and see its answer. Below are the last calls of all callers: open one to see why it was refused. Nothing
secret is kept of them.
"""


def show_all() -> None:
    st.query_params.pop("call", None)


INPUTS = ("user", "model", "example", *call_list.FILTERS)
links.follow_link("call", *INPUTS)
address = examples.address(st.context.url)
with head.line("API", "Try a call, see every call, make keys.", about=ABOUT):
    st.link_button("Read the documentation", f"{address}/api/docs", icon=":material/menu_book:")


def overview() -> None:
    """The call to try, and under it the last calls and the keys."""
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
        if not who.may_or_told(May.MANAGE):
            return
        with st.container(border=True):
            st.header("Make a key", anchor=False)
            keys.make([user.user_id for user in known])
        if records:
            keys.table(records, alt="All keys, newest first")
            limits_of_keys.draw(records)
        else:
            st.info("Make one above.", title="No key yet", icon=":material/key:")


# Not bound to an input, as the user of Balances: a call is opened by a click or by a link. The script runs to its end
# in both cases: after `st.stop` Streamlit would go on drawing the list, which draws itself, into what is shown instead.
request_id = filters.typed(st.query_params.get("call"))
if request_id:
    for name in ({*INPUTS, "api_key"}) & st.session_state.keys():
        st.session_state[name] = st.session_state[name]  # else Streamlit forgets what inputs hold that are not drawn
    one_call.show_in_full(request_id, address, show_all)
else:
    overview()
