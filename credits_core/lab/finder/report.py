"""Puts the plans that were found into words, lines of text and JSON, for the command and the screen alike. Pure."""

from collections.abc import Iterator
from typing import Any

from credits_core.lab.finder.measures import Figures, Goal
from credits_core.lab.finder.rules import Rule, Rules
from credits_core.lab.finder.search import Answer, Found
from credits_core.lab.inspector import shape
from credits_core.lab.replay.report import more, signed
from credits_core.lab.replay.result import Change
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.values.text import counted, format_bps, format_credits

_SHOWN = 12
GOALS = {
    Goal.PLATFORM: "platform income",
    Goal.CREATORS: "creators' income",
    Goal.USERS: "users' cost",
    Goal.INCREASE: "highest increase",
    Goal.FAIRNESS: "gap between smaller and larger users",
}
"""What counts, as sentences name it."""
RULES = {
    Rule.CLIFFS: "a cliff",
    Rule.INVERSIONS: "a creator fee that makes a run cheaper",
    Rule.LOSSES: "a markup below the card fee",
    Rule.TIERS: "too many tiers",
    Rule.ROUND: "a number that is not round",
    Rule.INCREASE: "a user who pays too much more",
    Rule.SHARE_OF_USERS: "too many users who pay more",
    Rule.CREATORS: "creators who receive less",
}
"""Why plans were left out, as sentences name it."""
NO_FREE_LUNCH = (
    "Users pay what the models cost, what creators receive and what the platform earns. The models cost the same under "
    "every plan. So if the platform earns more and creators receive no less, some user pays more, as long as nobody "
    "runs out of credits."
)


def change(bps: int) -> str:
    """A change in per cent with its sign.

    >>> change(363), change(-1), change(0)
    ('+3.63 %', '−0.01 %', '0 %')
    """
    return f"{'−' if bps < 0 else '+' if bps else ''}{format_bps(abs(bps))}"


def more_or_less(bps: int) -> str:
    """A change in per cent in words.

    >>> more_or_less(363), more_or_less(-1), more_or_less(0)
    ('3.63 % more', '0.01 % less', 'the same')
    """
    return f"{format_bps(abs(bps))} {'less' if bps < 0 else 'more'}" if bps else "the same"


def why(found: Found, answer: Answer, today: PricePlan) -> tuple[str, str, str]:
    """Why this plan, in three sentences: what we earn, who pays, and what no other plan does better."""
    figures, before = found.figures, answer.today
    income = more(Change(before.income_credits, figures.income_credits))
    earns = f"We earn {income if income != 'the same' else 'as much as'}"
    first = f"{earns} {'than ' if income != 'the same' else ''}under {today.id}{_of_creators(figures, before)}."
    return first, _who_pays(figures), _what_is_best(found.plan, answer)


def _of_creators(figures: Figures, before: Figures) -> str:
    change_of_creators = Change(before.creators_received_credits, figures.creators_received_credits)
    if not change_of_creators.difference_credits:
        return ""
    return f", and creators receive {more(change_of_creators)}"


def _who_pays(figures: Figures) -> str:
    who = f"{figures.users_paying_more:,} of {counted(figures.users, 'user')}"
    if not figures.users_paying_more:
        said = "No user pays more"
    else:
        verb = "pays" if figures.users_paying_more == 1 else "pay"
        said = f"{who} {verb} more, at most {format_bps(figures.highest_increase_bps)} more"
    if figures.refused_charges:
        said += f"; {counted(figures.refused_charges, 'run')} would be refused for lack of credits"
    return f"{said}."


def _what_is_best(plan: PricePlan, answer: Answer) -> str:
    goals = [GOALS[goal] for goal in answer.question.goals]
    drops = "no cliff" if not shape.cliffs(plan) else counted(len(shape.cliffs(plan)), "cliff")
    of = "every plan there is" if answer.is_complete else f"the {answer.tried:,} plans that were tried"
    named = goals[0] if len(goals) == 1 else f"{', '.join(goals[:-1])} and {goals[-1]}"
    together = "" if len(goals) == 1 else " together"
    return f"It has {drops} and {counted(len(plan.tiers), 'tier')}, and of {of} none is better in {named}{together}."


def free_gains(answer: Answer) -> tuple[Found, ...]:
    """The plans that earn more and raise nobody's bill."""
    return tuple(
        one
        for one in answer.best
        if one.figures.income_credits > answer.today.income_credits
        and one.figures.highest_increase_bps <= 0
        and not one.figures.users_paying_more
    )


def summary(answer: Answer) -> str:
    """How many plans were tried, how many held the rules, and how many of those are the best."""
    tried = f"All {answer.tried:,} possible plans tried" if answer.is_complete else f"{answer.tried:,} plans tried"
    held = f"{answer.fitting:,} {'holds' if answer.fitting == 1 else 'hold'} the rules"
    return f"{tried}: {held}, {len(answer.best):,} {'is' if len(answer.best) == 1 else 'are'} the best."


def in_the_way(answer: Answer) -> str:
    """Which rules left out how many plans, the most frequent first."""
    broken = sorted(answer.broken, key=lambda one: -one[1])
    named = ", ".join(f"{RULES[rule]} ({count:,})" for rule, count in broken)
    return f"What was in the way, and in how many plans: {named or 'nothing moves'}."


def lines(answer: Answer, today: PricePlan, *, stopped: bool = False) -> Iterator[str]:
    """The answer as text to read in a terminal."""
    if stopped:
        yield "Stopped. These are the best plans so far."
    yield summary(answer)
    if not answer.best:
        yield f"No plan holds all rules. {in_the_way(answer)}"
        return
    yield ""
    yield f"{'plan':<28}{'we earn':>16}{'change':>16}{'creators':>16}{'users pay':>16}{'highest':>10}{'pay more':>11}"
    yield _row(today.id, answer.today, answer.today)
    for one in answer.best[:_SHOWN]:
        yield _row(one.plan.id, one.figures, answer.today)
    if len(answer.best) > _SHOWN:
        yield f"… and {len(answer.best) - _SHOWN:,} more; --json lists all"
    yield ""
    first = answer.best[0]
    yield f"{first.plan.id}: {to_line(first.plan)}"
    yield from why(first, answer, today)
    if not free_gains(answer):
        yield ""
        yield "None of them earns more without raising somebody's bill."
        if answer.question.rules.creators_keep:
            yield NO_FREE_LUNCH


def _row(name: str, figures: Figures, today: Figures) -> str:
    return (
        f"{name:<28}{format_credits(figures.income_credits):>16}"
        f"{signed(figures.income_credits - today.income_credits):>16}"
        f"{format_credits(figures.creators_received_credits):>16}{format_credits(figures.users_paid_credits):>16}"
        f"{change(figures.highest_increase_bps):>10}{f'{figures.users_paying_more:,} of {figures.users:,}':>11}"
    )


def as_json(answer: Answer, today: PricePlan, *, stopped: bool = False) -> dict[str, Any]:
    """The answer as JSON: today's plan, the best plans, and what was asked."""
    question = answer.question
    free = free_gains(answer)
    return {
        "current": as_plan(today, answer.today),
        "plans": [as_plan(one.plan, one.figures) | {"why": list(why(one, answer, today))} for one in answer.best],
        "goals": list(question.goals),
        "seed": question.seed,
        "tried": answer.tried,
        "fitting": answer.fitting,
        "every_plan_tried": answer.is_complete,
        "stopped": stopped,
        "left_out": {rule.value: count for rule, count in answer.broken},
        "rules": _rules(question.rules),
        "earn_more_and_raise_nobodys_bill": [one.plan.id for one in free],
        "why_none": NO_FREE_LUNCH if not free and question.rules.creators_keep else None,
    }


def as_plan(plan: PricePlan, figures: Figures) -> dict[str, Any]:
    """A plan with its figures, as JSON."""
    return {
        "id": plan.id,
        "platform_income_credits": figures.platform_income_credits,
        "users_paid_credits": figures.users_paid_credits,
        "creators_received_credits": figures.creators_received_credits,
        "purchase_fees_credits": figures.purchase_fees_credits,
        "highest_increase_bps": figures.highest_increase_bps,
        "users": figures.users,
        "users_paying_more": figures.users_paying_more,
        "refused_charges": figures.refused_charges,
        "smaller_users_bps": figures.smaller_users_bps,
        "larger_users_bps": figures.larger_users_bps,
        "cliffs": len(shape.cliffs(plan)),
        "rules": to_line(plan),
        "toml": price_plan_toml(plan),
    }


def _rules(rules: Rules) -> dict[str, Any]:
    return {
        "no_cliffs": rules.no_cliffs,
        "no_inversions": rules.no_inversions,
        "card_fee_bps": rules.card_fee and rules.card_fee.share_bps,
        "card_fee_credits": rules.card_fee and rules.card_fee.fixed_credits,
        "most_tiers": rules.most_tiers,
        "round_numbers": rules.round_only,
        "most_increase_bps": rules.most_increase_bps,
        "most_paying_more_bps": rules.most_paying_more_bps,
        "creators_keep": rules.creators_keep,
    }
