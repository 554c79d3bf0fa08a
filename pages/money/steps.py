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
    _after(bought, moments[:number], is_last=number == len(moments))


def _chosen() -> Bought | None:
    """The purchase that the address names, or else the newest one."""
    asked = at_gateway.asked_for(st.query_params.get("purchase", ""))
    with resources.reading() as connection:
        newest = purchased.purchases_of(connection, limit=_NEWEST)
    offered = {one.id: one for one in newest}
    if asked is not None:
        offered.setdefault(asked.id, asked)
    if not offered:
        return None
    opened = asked or newest[0]
    key = f"steps:purchase:{opened.id}"  # another one is opened by the address, so the box begins anew
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Purchase",
            list(offered),
            index=list(offered).index(opened.id),
            format_func=lambda number: _said(offered[number]),
            key=key,
            on_change=_open,
            args=(key,),
            width=420,
        )
        link = pack_cards.link_to(opened)
        st.page_link(link.page, label=link.label, icon=":material/receipt:", query_params=dict(link.query))
    return opened


def _open(key: str) -> None:
    st.query_params["purchase"] = str(st.session_state[key])


def _said(one: Bought) -> str:
    return f"{one.id}: {one.user_id}, {naming.pack_name(one.pack_id)}, {format_money(one.due_minor, one.currency)}"


def _step(bought: Bought, moments: Sequence[Moment]) -> int:
    """The number of the step that is looked at, from 1: the last one until another is chosen."""
    last = len(moments)
    if last == 1:
        return 1
    key = f"step:{bought.id}:{last}"  # one more step is looked at as soon as it is there
    with st.container(horizontal=True, vertical_alignment="bottom"):
        looked_at = st.session_state.get(key, last)
        st.button("Back", icon=":material/chevron_left:", on_click=_go, args=(key, -1, last), disabled=looked_at == 1)
        number: int = st.select_slider(
            f"Step {looked_at} of {last}",
            options=range(1, last + 1),
            value=last,
            key=key,
            format_func=lambda number: f"{number}. {naming.HAPPENED[moments[number - 1].told.kind]}",
            width="stretch",
        )
        st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            on_click=_go,
            args=(key, 1, last),
            disabled=looked_at == last,
        )
    return number


def _go(key: str, by: int, last: int) -> None:
    st.session_state[key] = min(max(st.session_state.get(key, last) + by, 1), last)


def _after(bought: Bought, moments: Sequence[Moment], *, is_last: bool) -> None:
    now, currency = moments[-1], bought.currency
    told, stands = now.told, now.standing
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(f"{len(moments)}. {naming.HAPPENED[told.kind]}", anchor=False, width="content")
        st.space("stretch")
        if is_last:
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
    if now.borne is None:
        st.info(
            f"{words.plain(bought.user_id)} has more than {course.MOST_MOVEMENTS:,} movements.",
            title="Too many movements to follow each credit",
            icon=":material/toll:",
        )
        return
    if all(one.borne in (None, Borne()) for one in moments):
        st.info("No credits yet: they come when it is paid.", icon=":material/toll:")
        return
    columns = st.grid(2, min_column_width=340)
    with columns.cell():
        charts.card(
            "What became of the credits",
            step_chart.figure(moments),
            key="who_bears",
            alt="What has become of the purchase's credits after each step",
        )
    with columns.cell(), st.container(border=True):
        _table(now.borne, (moments[-2].borne if len(moments) > 1 else None) or Borne())


def _table(now: Borne, before: Borne) -> None:
    rows: list[Row] = []
    for part in step_chart.PARTS:
        now_credits, before_credits = part.of(now), part.of(before)
        if now_credits or before_credits:
            change = None if now_credits == before_credits else now_credits - before_credits
            rows.append({"Credits": part.name, "Now": now_credits, "Change": change})
    table = show.small_table(rows, {"Now": words.credits_and_dollars, "Change": "{:+,}"})
    st.header("Where the credits are now", anchor=False)
    st.table(table, border="horizontal", hide_index=True, alt="What has become of the purchase's credits")
