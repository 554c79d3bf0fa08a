"""Carries scenarios out for a page, with progress and a button to stop, and keeps the results for all who ask."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from credits_core.lab.scenario import rows as scenario_rows
from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.result import ScenarioResult
from credits_core.lab.scenario.rows import Listing, Wanted
from credits_core.lab.scenario.seeds import SEEDS, with_other_seeds
from credits_core.lab.scenario.simulation import simulating
from credits_core.pricing.models import Model
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.values.progress import Work, part
from credits_core.values.text import counted
from pages.parts import long_work, resources
from pages.parts.long_work import Kept

_MOST_RESULTS = 128


def result(scenario: Scenario, plan: PricePlan) -> ScenarioResult:
    """The result of the scenario under the plan. When somebody stops it, the page ends here and says so.

    Raises:
        UnknownModel: a model of the scenario has no price any more.
        InvalidRequest: the runs are too dear to be added up.
    """
    kept = _place(scenario, plan)
    if kept.result is None:
        kept.result = long_work.carried_out(
            f"scenario:{plan.id}",
            kept.key,
            lambda: simulating(scenario, plan, _models(scenario), at=resources.this_hour()),
            what="Pricing and charging",
            of=counted(scenario.runs, "run"),
            undone="There is no result yet. Choose fewer runs, or go on.",
        )
    if kept.result is None:
        st.stop()
    return kept.result


def with_several_seeds(scenario: Scenario, plan: PricePlan) -> list[ScenarioResult]:
    """The results with the scenario's own seed and with those that follow it; fewer when somebody stopped it."""
    places = [_place(one, plan) for one in with_other_seeds(scenario)]
    if any(place.result is None for place in places):
        long_work.carried_out(
            "scenario:seeds",
            places[0].key,
            lambda: _all_seeds(scenario, plan, places),
            what=f"Drawing {SEEDS} seeds",
            of=counted(SEEDS * scenario.runs, "run"),
            undone="Fewer seeds than usual are shown.",
        )
    return [place.result for place in places if place.result is not None]


def listing(scenario: Scenario, plan: PricePlan, wanted: Wanted, *, limit: int) -> Listing | None:
    """The wanted runs; None when somebody stopped it, which is shown."""
    models, at = _models(scenario), resources.this_hour()
    return long_work.carried_out(
        "scenario:rows",
        (_key(scenario, plan, models, at), wanted),
        lambda: scenario_rows.listing(scenario, plan, models, wanted, limit=limit, at=at),
        what="Drawing the runs again",
        of=counted(scenario.runs, "run"),
        undone="No runs are shown.",
    )


def _all_seeds(scenario: Scenario, plan: PricePlan, places: Sequence[Kept[ScenarioResult]]) -> Work[bool]:
    models, at = _models(scenario), resources.this_hour()
    for number, (one, place) in enumerate(zip(with_other_seeds(scenario), places, strict=True)):
        if place.result is None:
            place.result = yield from part(simulating(one, plan, models, at=at), number, SEEDS)
    return True


def _place(scenario: Scenario, plan: PricePlan) -> Kept[ScenarioResult]:
    return _kept(_key(scenario, plan, _models(scenario), resources.this_hour()))


# A plan and a model are known by all they say: a draft can change and keep its id.
def _key(scenario: Scenario, plan: PricePlan, models: dict[str, Model], at: datetime) -> str:
    return f"{scenario} {price_plan_toml(plan)} {models} {at}"


@st.cache_resource(max_entries=_MOST_RESULTS, show_spinner=False)
def _kept(key: str) -> Kept[ScenarioResult]:
    return Kept(key)


def _models(scenario: Scenario) -> dict[str, Model]:
    models = resources.book().models
    return {one.model_id: models[one.model_id] for one in scenario.models}
