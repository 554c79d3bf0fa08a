"""One purchase after each of its gateway's events: who has the money, and what has become of every credit."""

from collections.abc import Sequence

import streamlit as st

from credits_core.payments import course, purchased
from credits_core.payments.course import Borne, Moment
from credits_core.payments.purchased import Bought
from credits_core.values.money import format_money
from pages.money import at_gateway, naming, pack_cards, playing, step_chart
from pages.parts import charts, clock, resources, show, words
from pages.parts.show import Row

_NEWEST = 50


def draw() -> None:
    """Choose a purchase and a step, and show what is true after it."""
    bought = _chosen()
    if bought is None:
        st.info(
            "Buy credits first. Each purchase then stands here.", title="No payment yet", icon=":material/payments:"
        )
        st.page_link("money/buy_credits.py", label="Buy credits", icon=":material/shopping_cart:")
        return
    with resources.reading() as connection:
        moments = course.course(connection, bought.id)
    if not moments:
        st.info("Open its checkout first.", title="Nothing has happened yet", icon=":material/hourglass_empty:")
        at_gateway.link_to_checkout(bought)
        return
    number = _step(bought, moments)
    _after(bought, moments[:number])


def _chosen() -> Bought | None:
    """The purchase that the address names, or the newest one."""
    asked = at_gateway.asked_for(str(st.session_state.get("purchase") or st.query_params.get("purchase", "")))
    with resources.reading() as connection:
        newest = purchased.purchases_of(connection, limit=_NEWEST)
    offered = {str(one.id): one for one in newest}
    if asked is not None:
        offered.setdefault(str(asked.id), asked)
    if not offered:
        return None
    if st.session_state.get("purchase") not in offered:
        st.session_state.pop("purchase", None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Purchase",
            list(offered),
            index=None,
            placeholder=_said(newest[0]) if newest else None,
            format_func=lambda number: _said(offered[number]),
            key="purchase",
            bind="query-params",
            width=420,
        )
        bought = offered[chosen] if chosen else newest[0]
        link = pack_cards.link_to(bought)
        st.page_link(link.page, label=link.label, icon=":material/receipt:", query_params=dict(link.query))
    return bought


def _said(one: Bought) -> str:
    state = naming.STATES[one.standing.state].lower()
    return f"{one.id}: {one.user_id}, {naming.pack_name(one.pack_id)}, {state}"


def _step(bought: Bought, moments: Sequence[Moment]) -> int:
    """The number of the step that is looked at, from 1: the last one until another is chosen."""
    key, last = f"step:{bought.id}", len(moments)
    shown = st.session_state.get(key)
    seen = f"{key}:of"
    if shown is None or st.session_state.get(seen) != last:
        st.session_state[key] = last
    st.session_state[seen] = last
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Back", icon=":material/chevron_left:", on_click=_go, args=(key, -1, last))
        if last > 1:
            st.select_slider(
                f"Step {st.session_state[key]} of {last}",
                options=range(1, last + 1),
                key=key,
                format_func=lambda number: naming.HAPPENED[moments[number - 1].told.kind],
                width="stretch",
            )
        else:
            st.caption("Step 1 of 1", width="stretch")
        st.button("Next", icon=":material/chevron_right:", icon_position="right", on_click=_go, args=(key, 1, last))
    number: int = st.session_state[key]
    return number


def _go(key: str, by: int, last: int) -> None:
    st.session_state[key] = min(max(st.session_state[key] + by, 1), last)


def _after(bought: Bought, moments: Sequence[Moment]) -> None:
    now, currency = moments[-1], bought.currency
    told, stands = now.told, now.standing
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(f"{len(moments)}. {naming.HAPPENED[told.kind]}", anchor=False, width="content")
        st.space("stretch")
        playing.after_payment(bought)
    playing.refusal(bought)
    amount = f"{naming.money(told.amount_minor, currency)} · " if told.amount_minor else ""
    note = f" · {words.plain(told.note)}" if told.note and told.note != bought.checkout_url else ""
    st.caption(f"{amount}{clock.text(told.happened_at)}{note}")
    with st.grid(4, min_column_width=170):
        for label, minor, help_text in (
            ("Money in", stands.paid_minor, "What payers paid."),
            ("Money out", now.out_minor, "Refunds and lost disputes."),
            ("Gateway's fee", now.fees_minor, "It stays with the gateway, also after a refund."),
            ("Left for us", now.kept_minor, "Money in, less money out and the fee."),
        ):
            st.metric(label, format_money(minor, currency).replace("$", r"\$"), border=True, help=help_text)
    if stands.disputed_minor:
        st.warning(f"{naming.money(stands.disputed_minor, currency)} is disputed.", icon=":material/gavel:")
    if not any(one.borne != Borne() for one in moments):
        st.info("No credits yet: they come when it is paid.", icon=":material/toll:")
        return
    columns = st.grid(2, min_column_width=340)
    with columns.cell():
        charts.card(
            "Who bears the credits",
            step_chart.figure(moments),
            key="who_bears",
            alt="What has become of the purchase's credits after each step",
        )
    with columns.cell(), st.container(border=True):
        _table(moments)


def _table(moments: Sequence[Moment]) -> None:
    before = moments[-2].borne if len(moments) > 1 else Borne()
    rows: list[Row] = []
    for part in step_chart.PARTS:
        now_credits, before_credits = part.of(moments[-1].borne), part.of(before)
        if now_credits or before_credits:
            change = None if now_credits == before_credits else now_credits - before_credits
            rows.append({"Credits": part.name, "Now": now_credits, "This step": change})
    table = show.small_table(rows, {"Now": words.credits_and_dollars, "This step": "{:+,}"})
    st.header("Every credit, once", anchor=False)
    st.table(table, border="horizontal", hide_index=True, alt="What has become of the purchase's credits")
