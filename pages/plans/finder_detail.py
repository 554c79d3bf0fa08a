"""One plan that was found: why it, its tiers, findings and curve, who wins and loses by it, and how to keep it."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.finder import report
from credits_core.lab.finder.search import Answer, Found
from credits_core.lab.inspector.cures import same_rules
from credits_core.lab.inspector.findings import findings
from credits_core.lab.inspector.shape import CardFee
from credits_core.plans import actions as stored_actions
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.values.roles import May
from credits_core.values.text import format_bps, format_credits
from pages.parts import action, links, resources, show, who, words
from pages.plans import differences, drafts, effects, finding_list, losers
from pages.plans import month as plan_month
from pages.plans import view as plan_view
from pages.plans.month import Month

SCREEN = "Find a plan"


def draw(found: Found, answer: Answer, today: PricePlan, month: Month) -> None:
    """Everything about the plan, on last month's runs."""
    plan = found.plan
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(words.plain(plan.id), anchor=False, width="stretch")
        _keep(plan)
        st.page_link(
            "plans/compare_plans.py",
            label="Edit in Compare",
            icon=":material/compare:",
            query_params=links.link_to(a=today.id, b=today.id, edit=to_line(plan)),
        )
        plan_view.replay_link(today, plan, month.recent.days)
    st.markdown("\n".join(f"- {words.plain(sentence)}" for sentence in report.why(found, answer, today)))
    fee = answer.question.rules.card_fee or CardFee(0, 0)
    of_plan, of_today = findings(plan, fee), findings(today, fee)
    with st.grid(2, min_column_width=380):
        with st.container(gap="small"):
            plan_view.chart(
                [("Live plan", today), ("This plan", plan)],
                of_plan,
                plan_view.first_cliff(of_plan, of_today),
                key="found-shape",
            )
        with st.container(gap="small"):
            _tiers(plan)
            st.markdown(f"**Findings:** {finding_list.counts(of_plan) or 'none'}")
            if of_plan:
                with st.expander("Read the findings"):
                    for finding in of_plan:
                        st.markdown(f"- {words.plain(finding.sentence)}")
            differences.rules(today, plan)
    try:
        effect = plan_month.between(month, today, plan)
    except InvalidRequest as refusal:
        st.warning(words.refusal_text(refusal), title="Last month cannot be priced", icon=":material/block:")
        return
    st.header("Who gains, who loses", anchor=False)
    st.caption(f"Plan A is {words.plain(today.id)}, plan B is {words.plain(plan.id)}. Minus is worse off.")
    effects.deltas(effect, open_rows=losers.choose)
    losers.draw(effect)
    losers.open_asked(month, today, plan)


def _keep(plan: PricePlan) -> None:
    same = next((one for one in resources.plans().values() if same_rules(one.plan, plan)), None)
    if same is not None:
        st.page_link(
            "plans/pricing_lab.py",
            label=f"Open {words.plain(same.plan.id)}",
            icon=":material/sell:",
            query_params=links.carry_to(plan=same.plan.id),
        )
        return
    if not who.may_or_told(May.DRAFT_PLANS):
        return
    name = f"found:{plan.id}"
    action.performed(name)
    if not st.button("Save as draft", icon=":material/save:", type="primary", key="found:draft"):
        return
    outcome = action.perform(
        name,
        plan,
        lambda connection, _key, now, actor: stored_actions.save_draft(
            connection, plan, seen=None, now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was saved.")
        return
    assert outcome.result is not None, "what was not refused was saved"
    drafts.say_saved(SCREEN, outcome.result, None)
    action.start_over(name)
    st.rerun()


def _tiers(plan: PricePlan) -> None:
    rows: list[show.Row] = [
        {"Model cost": _costs(plan, number), "Markup": _markup(tier)} for number, tier in enumerate(plan.tiers)
    ]
    st.table(show.small_table(rows, {}), border="horizontal", hide_index=True, alt=f"The tiers of {plan.id}")
    mode = "Each tier applies to its own part of the cost." if plan.tier_mode == "graduated" else ""
    cap = "No run costs more than a dearer one." if plan.cap_down else ""
    rounded = "Markups are rounded up." if plan.markup_rounding == "up" else ""
    least = "With a fee we earn at least our markup." if plan.minimum_platform_income_is_markup else ""
    rules = [f"Creators get {format_bps(plan.creator_share_bps)} of a fee.", mode, cap, rounded, least]
    st.caption(" ".join(rule for rule in rules if rule))


def _costs(plan: PricePlan, number: int) -> str:
    first = 0 if number == 0 else plan.tiers[number - 1].below_credits or 0
    below = plan.tiers[number].below_credits
    if below is None:
        return "every cost" if not first else f"{format_credits(first)} and more"
    return f"below {format_credits(below)}" if not first else f"{format_credits(first)} to {format_credits(below - 1)}"


def _markup(tier: MarkupTier) -> str:
    return (
        f"{format_credits(tier.markup_credits or 0)} credits"
        if tier.markup_bps is None
        else format_bps(tier.markup_bps)
    )
