"""The fixes of a plan as cards: what each fixes, what it would have cost last month, and the button that saves it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.cures import Cure, same_rules
from credits_core.lab.inspector.findings import FindingKind, PlanFinding, findings
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.replay.between import Between
from credits_core.plans import actions as stored_actions
from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.values.roles import May
from pages.parts import action, links, plan_choice, show, who, words
from pages.plans import actions as plan_actions
from pages.plans import drafts, effects, finding_list
from pages.plans import month as plan_month
from pages.plans.month import Month

_NOUNS = {FindingKind.CLIFF: "cliff", FindingKind.INVERSION: "fee inversion", FindingKind.LOSS: "loss zone"}


def prices(plan: PricePlan, offered: Sequence[Cure], month: Month | None) -> list[Between | None]:
    """What each cure would have changed last month; None where there is nothing to replay, or no price for it."""
    found: list[Between | None] = []
    for cure in offered:
        try:
            found.append(plan_month.between(month, plan, cure.plan) if month else None)
        except InvalidRequest:
            found.append(None)
    return found


def cheapest(offered: Sequence[Cure], priced: Sequence[Between | None]) -> set[str]:
    """The names of the cures by which least is lost, one for each kind of finding that has several cures."""
    names = set()
    for kind, count in Counter(cure.against for cure in offered).items():
        known = [
            (one.lost_credits, cure.name)
            for cure, one in zip(offered, priced, strict=True)
            if one and cure.against is kind
        ]
        if count > 1 and len(known) == count and len({lost_credits for lost_credits, _ in known}) > 1:
            names.add(min(known)[1])
    return names


def draw(
    plan: PricePlan,
    offered: Sequence[Cure],
    found: tuple[PlanFinding, ...],
    stored: Mapping[str, PlanRecord],
    card_fee: CardFee,
    month: Month | None,
) -> None:
    """Each cure with what it fixes, its price, and what can be done with it."""
    priced = prices(plan, offered, month)
    least = cheapest(offered, priced)
    with st.grid(len(offered), min_column_width=250):
        for cure, effect in zip(offered, priced, strict=True):
            with st.container(border=True, height="stretch", gap="xsmall"):
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    st.markdown(f"**{cure.name}**", width="content")
                    if cure.name in least:
                        st.badge(
                            "Cheapest",
                            icon=":material/check:",
                            color="green",
                            help="Users, creators and we lose least by it.",
                        )
                st.markdown(cure.sentence)
                st.caption(_fixed(cure, found, findings(cure.plan, card_fee)))
                if effect is not None:
                    effects.table(effect, alt=f"What {cure.name} would have changed last month")
                st.space("stretch")
                same = next((record for record in stored.values() if same_rules(record.plan, cure.plan)), None)
                with st.container(horizontal=True, vertical_alignment="center"):
                    if same is None:
                        if who.may(May.DRAFT_PLANS):
                            _draft_button(cure)
                        _link_to_comparison(plan.id, plan.id, edit=to_line(cure.plan))
                    else:
                        _of_stored(plan, same, next(iter(stored.values())))


def _fixed(cure: Cure, before: tuple[PlanFinding, ...], after: tuple[PlanFinding, ...]) -> str:
    was, left = (Counter(finding.kind for finding in found) for found in (before, after))
    fixed = was[cure.against] - left[cure.against]
    which = {1: f"the {_NOUNS[cure.against]}", 2: f"both {_NOUNS[cure.against]}s"}
    remaining = finding_list.counts(after, list(_NOUNS))
    said = f"Fixes {which.get(fixed, f'{fixed} {_NOUNS[cure.against]}s')}."
    return f"{said} Remaining: {remaining or 'none'}."


def _draft_button(cure: Cure) -> None:
    name = f"cure:{cure.plan.id}"
    action.performed(name)
    if not st.button("Save as draft", icon=":material/healing:", key=f"{name}:button"):
        return
    outcome = action.perform(
        name,
        cure.plan,
        lambda connection, _key, now, actor: stored_actions.save_draft(
            connection, cure.plan, seen=None, now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was saved.")
        return
    assert outcome.result is not None, "what was not refused was saved"
    drafts.say_saved("Plans", outcome.result, None)
    action.start_over(name)
    st.rerun()


def _of_stored(plan: PricePlan, record: PlanRecord, live: PlanRecord) -> None:
    if st.button(
        f"Open {words.plain(record.plan.id)}", icon=":material/sell:", type="tertiary", key=f"open:{record.plan.id}"
    ):
        plan_choice.show(record.plan.id, key="plan")
    _link_to_comparison(plan.id, record.plan.id)
    if record.status is not PlanStatus.IN_FORCE:
        plan_actions.make_live_button(record, live)


def _link_to_comparison(a: str, b: str, **edited: str) -> None:
    st.page_link(
        "plans/compare_plans.py",
        label="Who loses?",
        icon=":material/compare:",
        query_params=links.link_to(a=a, b=b, **edited),
    )
