"""What one creator can expect: what waits, what is payable, what was paid, the next payday, and why or why not."""

from datetime import UTC, date, datetime

import streamlit as st

from credits_core.payments import configured, destinations, payout_lists, payout_words, payouts
from credits_core.payments.payout_rules import PayoutRules, first_payday
from credits_core.pricing.plan import PricePlan
from credits_core.values.credits import BPS_PER_WHOLE, div_ceil, div_floor
from credits_core.values.days import date_at
from credits_core.values.text import both, counted
from pages.explore import destination_form, month_statement
from pages.parts import links, resources, show, tables, words

_CYCLES = 12


def draw(creator_id: str) -> None:
    """Draw it for one creator."""
    rules, zone = configured.payout_rules(), resources.zone()
    today = date_at(datetime.now(UTC), zone)
    with resources.reading() as connection:
        expected = list(payouts.preview(connection, rules, today=today, zone=zone, creator_id=creator_id))
        payday = rules.next_payday(today)
        then = list(payouts.preview(connection, rules, today=payday, zone=zone, creator_id=creator_id))
        sums = payout_lists.sums_of_creator(connection, creator_id)
        before = payout_lists.of_creator(connection, creator_id, limit=_CYCLES)
        terms = destinations.newest(connection, [creator_id]).get(creator_id)
        owed = sum(one.standing.owed_credits for one in expected)
    st.header("Payouts", anchor=False)
    last = next((one for one in before if one.state.word in ("paid", "failed")), None)
    if last is not None and last.state.word == "failed" and last.terms == terms:
        st.warning(
            f"{words.plain(last.state.reason)} Correct **Where to pay**, or the next payout fails too.",
            title="The last payout failed",
            icon=":material/error:",
        )
    st.markdown(
        payout_words.on_payday(then[0], payday).replace("$", r"\$")
        if then
        else f"Nothing that was earned is left. Next payday: **{payday:%-d %B %Y}**."
    )
    waiting = sum(one.standing.waiting_credits for one in expected)
    payable = sum(one.standing.payable_credits for one in expected)
    with show.metric_grid(waiting, payable, sums.on_the_way_credits, sums.paid_credits, *([owed] if owed else [])):
        show.metric("Waiting", waiting, help_text=f"Earned in the last {rules.waiting_days} days, less what was spent.")
        show.metric("Payable", payable, help_text="Earned earlier, and neither spent nor paid out.")
        show.metric("On the way", sums.on_the_way_credits, help_text="Sent, and not confirmed yet.")
        show.metric("Paid", sums.paid_credits, help_text="Arrived, in all.")
        if owed:
            show.metric("Owed", owed, help_text="Refunded after it was spent. The next earnings pay it first.")
    destination_form.draw(creator_id, terms)
    _calculator(rules, resources.book().plan, today, payable)
    if before:
        st.header("Payout history", anchor=False)
        tables.draw(
            [
                {
                    "Cycle": one.cycle_id,
                    "Result": payout_words.result(one),
                    "Amount": one.amount_credits or None,
                    "Why": payout_words.in_short(one),
                }
                for one in before
            ],
            {"Amount": "Dollars"},
            alt=f"The payout cycles of {creator_id}",
            key="payout-cycles",
            opens={"Cycle": lambda row: _open(before[row].cycle_id)},
            if_wide=["Dollars"],
        )
    month_statement.draw(creator_id)


def _open(cycle_id: int | None) -> None:
    st.switch_page("money/payouts.py", query_params=links.link_to(cycle=str(cycle_id)))


def _calculator(rules: PayoutRules, plan: PricePlan, today: date, payable_credits: int) -> None:
    """What a fee and so many runs a month come to, and when they are paid together with what is there already."""
    with st.expander("What would I get?", icon=":material/calculate:"):
        with st.grid(2, min_column_width=240):
            fee_credits = st.number_input("Fee for a run, credits", min_value=1, max_value=10**9, value=2_000)
            runs = st.number_input("Runs a month", min_value=1, max_value=10**7, value=10_000)
        month_credits = runs * div_floor(fee_credits * plan.creator_share_bps, BPS_PER_WHOLE)
        if not month_credits:
            st.markdown("A fee this small leaves no share for the creator.")
            return
        first = first_payday(rules, today, month_credits=month_credits, payable_credits=payable_credits)
        if first is None:
            needed = both(rules.threshold_credits)
            says = f"At this rate it takes more than ten years to reach {needed}, which a payout needs."
        else:
            months = max(1, div_ceil(rules.threshold_credits, month_credits))
            each = "every month" if months == 1 else f"every {counted(months, 'month')}"
            says = f"Paid {each}; the next time on **{first:%-d %B %Y}**."
        st.markdown(f"The creator gets **{both(month_credits)}** a month. {says}".replace("$", r"\$"))
