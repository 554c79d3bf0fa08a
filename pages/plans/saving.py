"""Save an edited plan as a draft, under its own id or another, or undo the edits."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.cures import free_id, same_rules
from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import from_line, to_line
from credits_core.pricing.plan_toml import MAX_PLAN_ID
from credits_core.values.roles import May
from pages.parts import links, plan_choice, show, who, words
from pages.plans import drafts, editor


def row(edited: PricePlan, record: PlanRecord, stored: dict[str, PlanRecord]) -> None:
    """The id to save under and the buttons; a draft keeps its id, a change of any other plan needs a new one."""
    if not who.may_or_told(May.DRAFT_PLANS):
        return
    is_draft = record.status is PlanStatus.DRAFT
    unchanged = same_rules(edited, record.plan)
    plan_id = st.text_input(
        "Save as",
        value=record.plan.id if is_draft else free_id(record.plan.id, "-edited", stored.keys()),
        max_chars=MAX_PLAN_ID,
        key=f"editor:id:{record.plan.id}",
    )
    with st.container(horizontal=True, gap="xsmall"):
        save = st.button("Save draft", icon=":material/save:", disabled=unchanged)
        st.button("Undo edits", icon=":material/undo:", disabled=unchanged, on_click=editor.begin_anew)
        if unchanged:
            st.page_link(
                "plans/pricing_lab.py",
                label="Open in Plans",
                icon=":material/biotech:",
                query_params=links.link_to(plan=record.plan.id),
            )
    if not save:
        return
    try:
        named = from_line(to_line(edited), plan_id.strip())
    except InvalidRequest as error:
        st.error("Nothing was saved.", title=words.refusal_text(error), icon=":material/block:")
        return
    seen = editor.seen() if is_draft and named.id == record.plan.id else None
    refusal = drafts.save("Compare", named, seen=seen)
    if refusal is not None:
        show.refusal(refusal, undone="Nothing was saved.")
        return
    editor.begin_anew()
    plan_choice.show(named.id, key="b")
