"""The question of the screen Find a plan: what may move, what must hold, what counts. All of it is kept in the URL."""

from dataclasses import replace

import streamlit as st

from credits_core.lab.finder.measures import Goal
from credits_core.lab.finder.rules import Rules
from credits_core.lab.finder.search import MOST_PLANS, USUAL_PLANS, Question
from credits_core.lab.finder.space import Moves, Span, usual_moves
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import MAX_BPS, MAX_TIERS
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS
from credits_core.values.text import format_bps
from pages.parts import numbers
from pages.plans import view as plan_view

_SPANS = {
    "bounds": "Boundaries",
    "rates": "Percentages",
    "flats": "Flat amounts",
    "creator_share": "Creator share",
    "minimum_income": "Minimum income",
    "purchase_fee": "Surcharge on buying",
}
_SWITCHES = {
    "mode": "Volume or graduated",
    "cap": "Cap down",
    "rounding": "Rounding",
    "minimum_is_markup": "At least our markup with a fee",
}
_MOVING = {**_SPANS, **_SWITCHES}
_PERCENT = {"rates", "creator_share", "purchase_fee"}
_LARGEST = {"rates": MAX_BPS, "creator_share": BPS_PER_WHOLE, "purchase_fee": MAX_BPS}
GOALS = {
    Goal.PLATFORM: "Platform income",
    Goal.INCREASE: "Highest increase",
    Goal.USERS: "Users' cost",
    Goal.CREATORS: "Creators' income",
    Goal.FAIRNESS: "Fairness",
}
_USUAL_GOALS = (Goal.PLATFORM, Goal.INCREASE)
_USUAL_INCREASE_BPS, _ALL_BPS = 1_000, BPS_PER_WHOLE
NAMES = (
    *(f"move_{name}" for name in _MOVING),
    *(f"counts_{goal}" for goal in GOALS),
    *("cliffs", "inversions", "covers_card_fee", "creators_keep", "round"),
    *("most_more", "most_users", "most_tiers", "plans_tried", "seed"),
    *(f"{name}_{end}" for name in _SPANS for end in ("from", "to", "step")),
    *plan_view.CARD_FEE_BOXES,
)
"""Everything that a link can hold."""


def question(today: PricePlan) -> Question | None:
    """What is looked for; None as long as something is typed or left out that makes no question."""
    with st.grid(3, min_column_width=250):
        with st.container(border=True, height="stretch", gap="xsmall"):
            _title("What may move")
            moves = _moves(today)
        with st.container(border=True, height="stretch", gap="xsmall"):
            _title("What must hold")
            rules = _rules(today)
        with st.container(border=True, height="stretch", gap="xsmall"):
            _title("What counts")
            goals = _goals()
            with st.grid(2, min_column_width=110):
                with st.container(gap="xxsmall"):
                    most_plans = numbers.whole(
                        "Plans to try",
                        1,
                        MOST_PLANS,
                        key="plans_tried",
                        usual=USUAL_PLANS,
                        says=lambda _: f"1 to {MOST_PLANS:,}",
                    )
                with st.container(gap="xxsmall"):
                    seed = numbers.whole(
                        "Seed", 0, 2**32 - 1, key="seed", usual=1, says=lambda _: "same seed, same plans"
                    )
    if moves is None or rules is None or not goals or most_plans is None or seed is None:
        return None
    moves = replace(moves, round_only=rules.round_only, most_tiers=rules.most_tiers)
    return Question(moves, rules, goals, seed=seed, most_plans=most_plans)


def in_words(question: Question) -> str:
    """The question in a sentence, for the line above it."""
    rules = question.rules
    said = [GOALS[goal].lower() for goal in question.goals]
    limits = []
    if rules.no_cliffs:
        limits.append("no cliff")
    if rules.card_fee:
        limits.append("every markup above the card fee")
    if rules.most_increase_bps is not None:
        more = f" than {format_bps(rules.most_increase_bps)} more" if rules.most_increase_bps else ""
        limits.append(f"nobody pays more{more}")
    if rules.creators_keep:
        limits.append("creators get no less")
    limits.append(f"at most {rules.most_tiers} tiers")
    return f"Counts: {', '.join(said)}. Limits: {', '.join(limits)}."


def _title(text: str) -> None:
    st.markdown(f"**{text}**")


def _moves(today: PricePlan) -> Moves | None:
    usual = usual_moves(today)
    chosen = {name: _box(f"move_{name}", label, bool(getattr(usual, name))) for name, label in _MOVING.items()}
    spans: dict[str, Span | None] = {}
    with st.popover("From, to and step", icon=":material/straighten:", type="tertiary", key="spans"):
        for name, label in _SPANS.items():
            if chosen[name]:
                spans[name] = _span(name, label, getattr(usual, name) or _unusual_span(name, today))
        if not spans:
            st.caption("Nothing that moves has bounds.")
    if not any(chosen.values()):
        st.caption(":red[Choose at least one.]")
        return None
    if None in spans.values():
        st.caption(":red[Correct the bounds first.]")
        return None
    return Moves(**spans, **{name: chosen[name] for name in _SWITCHES})  # type: ignore[arg-type]


def _box(key: str, label: str, usual: bool) -> bool:
    return st.checkbox(label, usual, key=key, bind="query-params")


def _unusual_span(name: str, today: PricePlan) -> Span:
    """The bounds of what usually stays, around what it is today."""
    if name == "creator_share":
        return Span(max(0, today.creator_share_bps - 1_000), min(BPS_PER_WHOLE, today.creator_share_bps + 1_000), 100)
    if name == "purchase_fee":
        return Span(0, max(500, today.purchase_fee_bps), 50)
    return Span(0, max(5_000, today.minimum_platform_income_credits), 100)


def _span(name: str, label: str, usual: Span) -> Span | None:
    st.markdown(label if name not in _PERCENT else f"{label}, %")
    largest = _LARGEST.get(name, MAX_CREDITS)
    with st.grid(3, min_column_width=90):
        low = _number(name, "from", "From", 0, largest, usual.low)
        high = _number(name, "to", "To", 0, largest, usual.high)
        step = _number(name, "step", "Step", 1, largest, usual.step)
    if low is None or high is None or step is None:
        return None
    if low > high:
        st.caption(":red[From must not be above to.]")
        return None
    return Span(low, high, step)


def _number(name: str, end: str, label: str, least: int, largest: int, usual: int) -> int | None:
    key = f"{name}_{end}"
    with st.container(gap="xxsmall"):
        if name in _PERCENT:
            return numbers.percentage(label, least, largest, key=key, usual_bps=usual, says="")
        return numbers.whole(label, least, largest, key=key, usual=usual, says=lambda _: "credits")


def _rules(today: PricePlan) -> Rules | None:
    no_cliffs = st.toggle("No cliffs", True, key="cliffs", bind="query-params")
    with st.container(horizontal=True, vertical_alignment="center"):
        covers = st.toggle("Markup covers the card fee", True, key="covers_card_fee", bind="query-params")
        card_fee = plan_view.card_fee()
    no_inversions = st.toggle("A creator fee never makes a run cheaper", False, key="inversions", bind="query-params")
    creators_keep = st.toggle("Creators together get no less", True, key="creators_keep", bind="query-params")
    round_only = st.toggle("Round numbers only", True, key="round", bind="query-params")
    with st.grid(2, min_column_width=100):
        with st.container(gap="xxsmall"):
            most_more = numbers.percentage(
                "A user pays", 0, 100_000, key="most_more", usual_bps=_USUAL_INCREASE_BPS, says="more at most"
            )
        with st.container(gap="xxsmall"):
            most_users = numbers.percentage(
                "Pay more", 0, _ALL_BPS, key="most_users", usual_bps=_ALL_BPS, says="of users at most"
            )
        with st.container(gap="xxsmall"):
            usual = max(4, len(today.tiers))
            most_tiers = numbers.whole("Tiers", 1, MAX_TIERS, key="most_tiers", usual=usual, says=lambda _: "at most")
    if most_more is None or most_users is None or most_tiers is None or (covers and card_fee is None):
        return None
    return Rules(
        no_cliffs=no_cliffs,
        no_inversions=no_inversions,
        card_fee=card_fee if covers else None,
        most_tiers=most_tiers,
        round_only=round_only,
        most_increase_bps=most_more,
        most_paying_more_bps=None if most_users == _ALL_BPS else most_users,
        creators_keep=creators_keep,
    )


def _goals() -> tuple[Goal, ...]:
    chosen = tuple(goal for goal, label in GOALS.items() if _box(f"counts_{goal}", label, goal in _USUAL_GOALS))
    if not chosen:
        st.caption(":red[Choose at least one.]")
    st.caption("A plan is among the best when no other one is better in one of these and as good in the others.")
    return chosen
