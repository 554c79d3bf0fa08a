"""The assumptions of a scenario: inputs that are kept in the URL, and the scenario they make together."""

from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from credits_core.errors import InvalidRequest
from credits_core.lab.scenario.assumptions import BOUNDS, MAX_RUNS, Scenario, with_models, with_offered, with_runs
from credits_core.lab.scenario.presets import Preset
from credits_core.pricing.plan import PricePlan
from credits_core.values.text import format_bps
from pages.parts import numbers, pick, resources, words

_NARROW = 165
_MISSED = "models:missed"
_ASSUMED = (
    *("users", "horizon", "starting", "top_up", "refill", "regular", "with_fee", "creator_count"),
    *("card_share", "card_fixed", "models"),
)


def preset() -> Preset:
    """The story that the numbers begin with, from `?preset=…`; its numbers are explained beside it."""
    known = resources.presets()
    name = pick.one("Preset", list(known), key="preset", is_labelled=False)
    st.caption(words.plain(known[name].why), width="stretch")
    return known[name]


def size(preset: Preset) -> Scenario | None:
    """The scenario of the chosen workload and preset, with what is in sight: runs, growth and seed.

    Users grow with the runs. None as long as something is typed that cannot be accepted.
    """
    with st.grid(4, min_column_width=_NARROW):
        scenario = preset.applied(_workload())
        with st.container():
            runs = numbers.whole(
                "Runs", 1, MAX_RUNS, key="scenario_runs", usual=scenario.runs, says=lambda _: f"1 to {MAX_RUNS:,}"
            )
        growth_bps = _percent("Growth per day", "growth", scenario, "growth_bps_per_day", "more runs each day")
        seed = _whole("Seed", "seed", scenario, "seed", "same seed, same runs")
    if runs is None or growth_bps is None or seed is None:
        return None
    return replace(with_runs(scenario, runs), growth_bps_per_day=growth_bps, seed=seed)


def _workload() -> Scenario:
    known = resources.scenarios()
    chosen = pick.one(
        "Workload",
        list(known),
        key="workload",
        says=str.capitalize,
        help_text="Choose which real requests the token counts come from.",
    )
    return known.get(chosen, next(iter(known.values())))


def missing_other_plan() -> str | None:
    """What to say when a link names a plan to compare with that is not there. To be asked before its box is drawn."""
    asked = st.query_params.get("against")
    if asked is None or asked in resources.plans():
        return None
    return f"There is no price plan {words.plain(asked)} to compare with."


def other_plan(plan: PricePlan) -> PricePlan | None:
    """Another plan to carry the same runs out under, from `?against=…`, or None."""
    plans = resources.plans()
    chosen = st.selectbox(
        "Compare with",
        [plan_id for plan_id in plans if plan_id != plan.id],
        index=None,
        placeholder="No other plan",
        key="against",
        bind="query-params",
        width=190,
    )
    return plans[chosen].plan if chosen else None


def is_any_assumed() -> bool:
    """Whether something stands in a box of the assumptions, so that they should be seen."""
    return any(st.session_state.get(key) or key in st.query_params for key in _ASSUMED)


def assumptions(scenario: Scenario, notes: DeltaGenerator) -> Scenario | None:
    """The scenario with what a person assumes instead; None as long as something is typed that cannot be accepted.

    A model that the workload or a link asks for and that is not offered is left out, and named in the notes.
    """
    workload = scenario.workload
    st.caption(
        f"Token counts come from {workload.requests:,} real requests. Everything else is an assumption you can change. "
        f"Median request: {workload.input_tokens.p50:,} tokens in, {workload.output_tokens.p50:,} out."
    )
    with st.grid(4, min_column_width=_NARROW):
        users = _whole("Users", "users", scenario, "users", f"for {scenario.runs:,} runs")
        days = _whole("Days", "horizon", scenario, "days", "length of the scenario")
        starting_credits = _credits("Starting credits", "starting", scenario, "starting_credits")
        top_up_credits = _credits("Credits in a top-up", "top_up", scenario, "top_up_credits")
        refilling_bps = _percent("Users who refill", "refill", scenario, "refilling_users_bps", "buy when they run out")
        regular_bps = _percent(
            "Regular buyers",
            "regular",
            scenario,
            "regular_users_bps",
            f"buy every {scenario.regular_every_days} days",
        )
        fee_bps = _percent("Runs with a fee", "with_fee", scenario, "fee_runs_bps", _fees(scenario))
        creators = _whole("Creators", "creator_count", scenario, "creators", "some more popular")
        card_bps = _percent("Card fee", "card_share", scenario, "card_fee_bps", "of every purchase")
        card_credits = _credits("Card fee per purchase", "card_fixed", scenario, "card_fee_credits")
    scenario = _with_chosen_models(scenario, notes)
    given = {
        "users": users,
        "days": days,
        "starting_credits": starting_credits,
        "top_up_credits": top_up_credits,
        "refilling_users_bps": refilling_bps,
        "regular_users_bps": regular_bps,
        "fee_runs_bps": fee_bps,
        "creators": creators,
        "card_fee_bps": card_bps,
        "card_fee_credits": card_credits,
    }
    numbers_given: dict[str, Any] = {name: number for name, number in given.items() if number is not None}
    if len(numbers_given) < len(given):
        return None
    try:
        return replace(scenario, **numbers_given)
    except InvalidRequest as error:
        st.caption(f":red[{words.refusal_text(error)}]")
        return None


def _with_chosen_models(scenario: Scenario, notes: DeltaGenerator) -> Scenario:
    offered = list(resources.book().models)
    # The box forgets what it has no option for, so that is kept here until somebody chooses.
    missed = st.session_state.get(_MISSED, []) if "models" in st.session_state else []
    asked = st.session_state.get("models", st.query_params.get_all("models"))
    missed = list(dict.fromkeys([*missed, *(one for one in asked if one not in offered)]))
    st.session_state[_MISSED] = missed
    chosen = st.multiselect(
        "Models",
        offered,
        placeholder="The mix of the workload",
        key="models",
        bind="query-params",
        on_change=_forget_missed,
        help="The chosen models are used equally often. Choose none to use the mix of the workload.",
    )
    if missed:
        instead = "The other chosen models take all runs." if chosen else "The mix of the workload runs instead."
        _say(notes, f"{' and '.join(missed)} {'is' if len(missed) == 1 else 'are'} not offered. {instead}")
    scenario, left_out = with_offered(with_models(scenario, chosen), offered)
    if left_out:
        _say(notes, left_out)
    st.caption(f"Mix: {_mix(scenario)}")
    return scenario


def _say(notes: DeltaGenerator, sentence: str) -> None:
    notes.warning(f"{words.plain(sentence)} Choose models under Assumptions.", icon=":material/block:")


def _forget_missed() -> None:
    st.session_state[_MISSED] = []


def _whole(label: str, key: str, scenario: Scenario, field: str, says: str) -> int | None:
    with st.container():
        return numbers.whole(label, *BOUNDS[field], key=key, usual=getattr(scenario, field), says=lambda _: says)


def _credits(label: str, key: str, scenario: Scenario, field: str) -> int | None:
    with st.container():
        return numbers.whole(
            label,
            *BOUNDS[field],
            key=key,
            usual=getattr(scenario, field),
            says=lambda number: "" if number is None else words.both(number),
        )


def _percent(label: str, key: str, scenario: Scenario, field: str, says: str) -> int | None:
    with st.container():
        return numbers.percentage(label, *BOUNDS[field], key=key, usual_bps=getattr(scenario, field), says=says)


def _fees(scenario: Scenario) -> str:
    fees = [fee.fee_credits for fee in scenario.fees if fee.weight]
    return f"fees of {min(fees):,} to {max(fees):,}"


def _mix(scenario: Scenario) -> str:
    in_all = sum(one.weight for one in scenario.models)
    parts = (f"{words.plain(one.model_id)} {format_bps(one.weight * 10_000 // in_all)}" for one in scenario.models)
    return ", ".join(parts)
