"""Three steps for each kind of visitor. Each is a link to a screen that is filled in, and says what is there.

Who and what the links name comes from the ledger, so they make sense in any database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from credits_core.lab.inspector.cures import cures
from credits_core.lab.inspector.shape import cliffs
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.reports import first_steps
from credits_core.reports.first_steps import FirstSteps
from credits_core.values.days import DayRange
from credits_core.values.periods import Preset
from pages.parts import linked_plan, links, resources, words

_FEE = "5000"
_MANY_RUNS = "1000"
_MIN_CARD_PIXELS = 240
_LABEL_PIXELS = 32
"""How far the label of a link stands to the right, so that what is said of it stands below it."""
_Query = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class _Step:
    """A link, and what one sees behind it."""

    page: str
    label: str
    query: _Query
    said: str


def cards() -> None:
    """A card for each kind of visitor, and a line for all others."""
    with resources.reading() as connection:
        found = first_steps.first_steps(connection, DayRange(zone=resources.zone()))
    plan = resources.book().plan
    with st.grid(3, min_column_width=_MIN_CARD_PIXELS):
        _card("See what the plan does", "For product staff", "biotech", _for_product_staff(plan))
        _card("Show how creators are paid", "For demonstrators", "payments", _for_demonstrators(found))
        _card("Run, retry, refund", "For testers", "science", _for_testers(found))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**And for**", width="content")
        st.page_link(
            "explore/creator_earnings.py",
            label="Finance: last month's statements",
            icon=":material/request_quote:",
            query_params=links.link_to(period=Preset.LAST_MONTH.value),
            help="What each creator earned last month, to download as CSV or PDF.",
        )
        st.page_link(
            "build/api_console.py",
            label="Engineers: a key and a first call",
            icon=":material/api:",
            help="Make an API key, copy an example, and watch the call come in.",
        )
        st.page_link(
            "explore/overview.py",
            label="Everybody: the overview",
            icon=":material/monitoring:",
            help="What users spent, and who received it.",
        )


def _card(title: str, whom: str, icon: str, steps: Sequence[_Step]) -> None:
    with st.container(border=True, height="stretch"):
        with st.container(gap="xxsmall"):
            st.header(f":material/{icon}: {title}", anchor=False)
            st.badge(whom, color="blue")
        for number, step in enumerate(steps, start=1):
            with st.container(gap="xxsmall"):
                st.page_link(
                    step.page,
                    label=f"**{step.label}**",
                    icon=f":material/counter_{number}:",
                    query_params=dict(step.query),
                )
                with st.container(horizontal=True, wrap=False, gap=None):
                    st.space(_LABEL_PIXELS)
                    st.caption(step.said, width="stretch")


def _for_product_staff(plan: PricePlan) -> list[_Step]:
    of_plan = links.link_to(plan=plan.id)
    fixes = cures(plan, resources.plans().keys())
    if not fixes:
        return [
            _Step("plans/pricing_lab.py", "Look at the live plan", of_plan, "What runs cost under it. No cliff."),
            _Step("plans/compare_plans.py", "Change a rule", links.link_to(a=plan.id, b=plan.id), "See who pays more."),
            _Step("replay/replay_history.py", "Replay the past", of_plan, "What all runs would have cost."),
        ]
    fix = fixes[0].plan
    first = cliffs(plan)
    if first:
        find, seen = "Find the cliff", "A dearer run is billed less. See where, and on how many runs."
    else:
        find, seen = "Find what is wrong", "What the plan does to whom, and on how many runs."
    edited = links.link_to(a=plan.id, b=plan.id, edit=to_line(fix))
    return [
        _Step("plans/pricing_lab.py", find, of_plan, seen),
        _Step("plans/compare_plans.py", "Fix it", edited, "Plan B has the fix. Change a number, and see who loses."),
        _Step(
            "replay/replay_history.py",
            "See who pays",
            linked_plan.carry_to(plan, fix),
            "Every recorded run under the fix: who gains, who pays more.",
        ),
    ]


def _for_demonstrators(found: FirstSteps) -> list[_Step]:
    user, creator = words.plain(found.user_id or ""), words.plain(found.creator_id or "")
    run: dict[str, str | list[str]] = {"user": found.user_id} if found.user_id else {}
    said = "Set a creator and a fee, press Run, and the creator earns."
    if found.creator_id and found.prompt_id:
        run["prompt"] = found.prompt_id
        world = resources.demo()
        if world is None or all(prompt.id != found.prompt_id for prompt in world.prompts):
            run |= {"creator": found.creator_id, "fee": str(found.fee_credits)}
        said = f"{user or 'A user'} pays, and {creator} earns at once."
    steps = [
        _Step("test_credits.py", "Run a prompt with a fee", links.link_to(**run), said),
        _Step("fees/fee_designer.py", "Ask for 5,000 a run", links.link_to(fee=_FEE), "What user, creator and we get."),
    ]
    if found.creator_id:
        statement = links.link_to(creator=found.creator_id, period=Preset.ALL.value)
        said = f"All that {creator} earned, as CSV or PDF."
        steps.append(_Step("explore/creator_earnings.py", "Open the statement", statement, said))
    else:
        steps.append(
            _Step("explore/creator_earnings.py", "Open the statements", {}, "Empty until a first creator earns.")
        )
    return steps


def _for_testers(found: FirstSteps) -> list[_Step]:
    of_user: dict[str, str | list[str]] = {"user": found.user_id} if found.user_id else {}
    steps = [
        _Step("test_credits.py", "Run twice", links.link_to(**of_user), "Press Run twice: the second is not charged."),
        _Step(
            "act/simulate_runs.py",
            "Run 1,000 at once",
            links.link_to(runs=_MANY_RUNS, **of_user),
            "The price first, then the progress and the sum.",
        ),
    ]
    if found.run_entry_id is not None:
        newest = links.link_to(entry=str(found.run_entry_id))
        steps.append(_Step("explore/history.py", "Refund a run", newest, "Press Refund: it says who pays."))
    else:
        steps.append(_Step("explore/history.py", "Refund a run", {}, "Open the run that you made, and refund it."))
    return steps
