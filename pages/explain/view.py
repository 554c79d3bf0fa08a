"""Shows an explained charge or refund: verdict, stored inputs, steps, who got what, and transactions."""

import streamlit as st

from credits_core.audit.explanation import ChargedParts, ExplainedTransaction, Explanation
from credits_core.ledger import bearing
from credits_core.ledger.bearing import Bearing
from credits_core.pricing.steps import ExplainedStep
from credits_core.values.text import format_credits
from pages.parts import links, show, words


def verdict(explained: Explanation) -> None:
    """Whether the charge matches its inputs, and where it does not."""
    if explained.is_proved:
        st.success(explained.verdict, title="Proved", icon=":material/verified:")
    else:
        listed = "\n".join(f"- {words.plain(difference)}" for difference in explained.differences)
        st.error(f"{explained.verdict}\n\n{listed}", title="Not proved", icon=":material/error:")


def borne(found: Bearing) -> None:
    """Who bore what of a refund, in one sentence."""
    st.markdown(bearing.sentence(found, done=True, name=words.plain, amount=words.both))


def inputs(explained: Explanation) -> None:
    """The inputs stored with the charge; everything else is calculated from them."""
    st.caption(" · ".join(f"{label}: **{words.plain(text)}**" for label, text in explained.inputs))


def steps(explained: Explanation) -> None:
    """The steps of the price or refund, each recalculated beside what was recorded."""
    what, recorded = ("price", "Charged") if explained.borne is None else ("refund", "Refunded")
    rows: list[show.Row] = [
        {
            "Step": f"**{words.plain(f'{step.number}. {step.label}')}:** {_how(step)}",
            "Recalculated": step.recomputed_credits,
            recorded: step.recorded_credits,
            "Dollars": step.recorded_credits,
            "Check": _equal(step.recomputed_credits, step.recorded_credits),
        }
        for step in explained.steps
    ]
    if rows:
        formats: show.Formats = {
            "Recalculated": format_credits,
            recorded: format_credits,
            "Dollars": words.aligned_dollars,
        }
        st.table(show.small_table(rows, formats), border="horizontal", hide_index=True, alt=f"Every step of the {what}")


def who_got_what(parts: ChargedParts) -> None:
    """What the user paid and who received it, as it was charged."""
    with st.grid(2, min_column_width=150):
        show.metric("User paid", parts.total_credits, colour="blue")
        show.metric("Inference", parts.inference_cost_credits)
        show.metric("Creator got", parts.creator_share_credits, colour="green")
        show.metric("Platform got", parts.platform_credits, colour="violet")


def transactions(explained: Explanation) -> None:
    """The entry's transactions beside those that follow from the inputs, with each user's balance before and after."""
    rows: list[show.Row] = [
        {
            "Account": words.plain(words.account_name(one.account_id)),
            "Type": words.type_name(one.type),
            "Credits": one.recorded_credits,
            "Balance before": one.balance_before_credits,
            "Balance after": one.balance_after_credits,
            "Check": _as_due(one),
        }
        for one in explained.transactions
    ]
    if rows:
        formats: show.Formats = {
            "Credits": lambda amount: f"{amount:+,} ({words.exact_dollars(amount)})",
            "Balance before": words.credits_and_dollars,
            "Balance after": words.credits_and_dollars,
        }
        st.table(show.small_table(rows, formats), border="horizontal", hide_index=True, alt="The entry's transactions")


def link_to_history(entry_id: int) -> None:
    """A link to the entry in the history."""
    st.page_link(
        "explore/history.py",
        label=f"Entry {entry_id} in the history",
        icon=":material/receipt_long:",
        query_params=links.carry_to(entry=str(entry_id)),
    )


def _how(step: ExplainedStep) -> str:
    said = step.arithmetic if step.recomputed_credits is not None else f"{step.arithmetic} → {step.result}"
    return words.plain(said)


def _equal(recomputed_credits: int | None, recorded_credits: int | None) -> str:
    if recomputed_credits is None and recorded_credits is None:
        return ""
    return ":green[:material/check:]" if recomputed_credits == recorded_credits else ":red[:material/close:]"


def _as_due(one: ExplainedTransaction) -> str:
    return _equal(one.recomputed_credits, one.recorded_credits)
