"""Puts a counterfactual replay into words, lines of text and JSON, for the command and the screen alike. Pure."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from credits_core.lab.replay.counterfactual import Difference
from credits_core.lab.replay.result import Change, Counterfactual, Group, Groups
from credits_core.values.days import DayRange
from credits_core.values.text import both, counted, format_bps, format_credits

_LIMITS = (
    "A charge counts on the day when it was posted, even if the run took place on another day.",
    "Every run keeps its recorded inference cost and creator fee. The plan changes only the markup and the split of "
    "the fee. Refunds give back what the plan charges, and all sums are after refunds.",
    "The platform bears the inference cost of a refunded run, except where the recorded refund booked it back.",
    "Users get the same credits as recorded. A run or unlock is refused when the balance does not cover it, and then "
    "its creator receives nothing. Added credits that were refunded stay with a user who would have spent them.",
    "Runs that were refused at the time are not recorded. A cheaper plan cannot bring them back.",
)
_SHOWN = 10
_NO_CHANGE = "the same"


def limits(found: Counterfactual) -> Iterator[str]:
    """What a reader has to know about a replay, a few sentences each: of every one, and of refunds in this one."""
    yield from _LIMITS
    if found.earlier_rule_refunds:
        yield (
            f"{counted(found.earlier_rule_refunds, 'refund')} of {found.refunds:,} followed the earlier rule, which "
            "booked the inference cost back as if the provider had given it back."
        )


def scope(days: DayRange) -> str:
    """The days of a replay in words, with their time zone.

    >>> from datetime import date
    >>> scope(DayRange()), scope(DayRange(date(2026, 3, 1), date(2026, 3, 1))), scope(DayRange(date(2026, 3, 1), None))
    ('all days', '2026-03-01, UTC', '2026-03-01 and later, UTC')
    """
    first, last = days.first, days.last
    if days.is_all:
        return "all days"
    said = f"up to {last}" if first is None else f"{first} and later" if last is None else f"{first} to {last}"
    return f"{first if first == last else said}, {days.zone.name}"


def headline(found: Counterfactual, *, same: str = "the amounts that were charged") -> str:
    """The outcome in a few sentences: users, creators, platform, and who is refused.

    `same` says what a plan without any difference gives.
    """
    sums = found.sums
    parts = more(sums.users), more(sums.creators), more(sums.platform)
    said = (
        f"Under {found.plan_id}, users would have paid {parts[0]}. Creators would have received {parts[1]}. "
        f"The platform would have received {parts[2]}."
    )
    if found.matches_record:
        said = f"No difference: {found.plan_id} gives {same}."
    elif set(parts) == {_NO_CHANGE}:
        said = f"No difference in total: {found.plan_id} gives the same sums for users, creators and platform."
    return f"{said} {refusals(found)}"


def refusals(found: Counterfactual) -> str:
    """Who would have run out of credits, and what was originally charged for what is refused then."""
    refused = [counted(found.refused_runs, "run"), counted(found.refused_unlocks, "unlock")]
    named = " and ".join(text for text, count in zip(refused, _refused(found), strict=True) if count)
    if not named:
        return "Nobody would have run out of credits."
    return (
        f"{named} of {counted(found.refused_users, 'user')} would have been refused for lack of credits. "
        f"Originally charged for this: {both(found.refused_credits)}."
    )


def against_record(found: Counterfactual) -> str:
    """Whether the plan gives exactly what was charged, or else the first difference."""
    charges = f"{counted(found.runs, 'run')} and {counted(found.unlocks, 'unlock')}"
    if found.matches_record:
        return f"Check passed: all {charges} come out exactly as charged."
    if found.difference is None:
        return f"All {charges} come out exactly as charged, but refunds of added credits do not."
    return f"The first difference is {_difference(found.difference)}"


def own_plans(found: Counterfactual) -> str:
    """Whether every charge matches the record when recalculated under its own plan, as it always must."""
    own = found.own_plans
    if own.first_difference is not None:
        said = "Check failed: a charge does not match the plan it was made under. Run the audit. The first is"
        return f"{said} {_difference(own.first_difference)}"
    said = f"Check passed: {own.checked:,} of {counted(own.checked, 'charge')} match the plan they were made under."
    if own.unknown_plans:
        said += f" Not checked, because the plan is unknown: charges under {', '.join(own.unknown_plans)}."
    return said


def changes(found: Counterfactual) -> str:
    """How many runs become cheaper or dearer, and by how much."""
    said = (
        f"{counted(found.runs, 'run')}: {found.cheaper_runs:,} cheaper, {found.unchanged_runs:,} unchanged, "
        f"{found.dearer_runs:,} dearer, {found.refused_runs:,} refused."
    )
    if found.change_of_run is None:
        return said
    priced_runs = found.runs - found.refused_runs
    if found.unchanged_runs == priced_runs:
        return f"{said} Every run {'that is not refused ' if found.refused_runs else ''}costs the same."
    parts = []
    if 2 * found.unchanged_runs > priced_runs:
        parts.append("most runs cost the same")
    if found.cheaper_runs:
        parts.append(_by_up_to(found.cheaper_runs, -found.change_of_run.least_credits, "less"))
    if found.dearer_runs:
        parts.append(_by_up_to(found.dearer_runs, found.change_of_run.most_credits, "more"))
    sentence = "; ".join(parts)
    return f"{said} {sentence[0].upper()}{sentence[1:]}."


def _by_up_to(runs: int, credits: int, direction: str) -> str:
    return f"{runs:,} cost{'s' if runs == 1 else ''} up to {counted(credits, 'credit')} {direction}"


def more(change: Change) -> str:
    """A difference in words.

    >>> more(Change(1_000, 968)), more(Change(0, 1)), more(Change(5, 5))
    ('32 credits ($0.000032) less (−3.2 %)', '1 credit ($0.000001) more', 'the same')
    """
    difference_credits = change.difference_credits
    if difference_credits == 0:
        return _NO_CHANGE
    percent = per_cent(change)
    return f"{both(abs(difference_credits))} {'less' if difference_credits < 0 else 'more'}" + (
        f" ({percent})" if percent else ""
    )


def per_cent(change: Change) -> str:
    """The difference in per cent of the record with its sign; empty when nothing is recorded.

    >>> per_cent(Change(1_000, 1_005)), per_cent(Change(1_000_000, 999_999)), per_cent(Change(0, 1))
    ('+0.5 %', '−0.00 %', '')
    """
    bps = change.difference_bps
    if bps is None:
        return ""
    sign = "−" if change.difference_credits < 0 else "+"
    if bps == 0 and change.difference_credits:
        return f"{sign}0.00 %"
    return f"{sign if bps else ''}{format_bps(abs(bps))}"


def signed(credits: int) -> str:
    """A difference in credits with its sign.

    >>> signed(-998), signed(0), signed(5)
    ('−998', '0', '+5')
    """
    return f"{'−' if credits < 0 else '+' if credits else ''}{format_credits(abs(credits))}"


def lines(found: Counterfactual, days: str) -> Iterator[str]:
    """The whole replay as text to read in a terminal."""
    yield f"{found.plan_id}, {days}: {_counts(found)}"
    yield headline(found)
    yield against_record(found)
    if not found.matches_record:
        yield own_plans(found)
    yield ""
    yield from figures(found)
    yield ""
    yield from limits(found)


def figures(found: Counterfactual, *, recorded: str = "recorded") -> Iterator[str]:
    """The figures of a replay as tables: sums, changes of runs, models, creators and users."""
    yield f"{'credits':<12}{recorded:>20}{'under the plan':>20}{'difference':>20}"
    for name, change in (
        ("users paid", found.sums.users),
        ("inference", found.sums.inference),
        ("creators", found.sums.creators),
        ("platform", found.sums.platform),
    ):
        amounts = f"{change.recorded_credits:>20,}{change.plan_credits:>20,}{signed(change.difference_credits):>20}"
        yield f"{name:<12}{amounts}  {per_cent(change)}".rstrip()
    yield ""
    yield changes(found)
    for noun, groups, measure in (
        ("model", found.by_model, "users"),
        ("creator", found.by_creator, "creators"),
        ("user", found.by_user, "users"),
    ):
        yield from _table(noun, groups, measure)


def as_json(found: Counterfactual, days: DayRange) -> dict[str, Any]:
    """The whole replay as JSON, with every model, creator, user and day."""
    plain = (
        "runs",
        "unlocks",
        "refunds",
        "earlier_rule_refunds",
        "refused_runs",
        "refused_unlocks",
        "refused_users",
        "refused_credits",
    )
    return {
        "plan": found.plan_id,
        "from": days.first and days.first.isoformat(),
        "to": days.last and days.last.isoformat(),
        "time_zone": days.zone.name,
        "matches_record": found.matches_record,
        "first_difference": found.difference and asdict(found.difference),
        "own_plans": asdict(found.own_plans),
        "users_paid": _change(found.sums.users),
        "inference": _change(found.sums.inference),
        "creators": _change(found.sums.creators),
        "platform": _change(found.sums.platform),
        **{name: getattr(found, name) for name in plain},
        "kept_by_users": found.refused_additions,
        "cheaper_runs": found.cheaper_runs,
        "unchanged_runs": found.unchanged_runs,
        "dearer_runs": found.dearer_runs,
        "change_of_run": found.change_of_run and asdict(found.change_of_run),
        "changes": [asdict(one) for one in found.changes],
        "by_day": [_group(one) for one in found.by_day.page()],
        "by_model": [_group(one) for one in found.by_model.page()],
        "by_creator": [_group(one) for one in found.by_creator.page()],
        "by_user": [_group(one) for one in found.by_user.page()],
    }


def _table(noun: str, groups: Groups, measure: str) -> Iterator[str]:
    if not len(groups):
        return
    what = "received" if measure == "creators" else "paid"
    yield ""
    yield f"{noun:<32}{'charges':>10}{'refused':>9}{what:>18}{'under the plan':>18}{'difference':>18}"
    for one in groups.page(0, _SHOWN):
        change: Change = getattr(one, measure)
        amounts = f"{change.recorded_credits:>18,}{change.plan_credits:>18,}{signed(change.difference_credits):>18}"
        yield f"{one.name:<32}{one.charges:>10,}{one.refused:>9,}{amounts}"
    if len(groups) > _SHOWN:
        yield f"… and {len(groups) - _SHOWN:,} more; --json lists all"


def _difference(difference: Difference) -> str:
    if difference.refused:
        return (
            f"entry {difference.entry_id}: it was charged {both(difference.recorded_total_credits)}; now it is refused."
        )
    return (
        f"entry {difference.entry_id}. Charged: {both(difference.recorded_total_credits)}, including "
        f"{format_credits(difference.recorded_share_credits)} for the creator. Under the plan: "
        f"{format_credits(difference.plan_total_credits)}, including "
        f"{format_credits(difference.plan_share_credits)} for the creator."
    )


def _counts(found: Counterfactual) -> str:
    counts = (found.runs, "run"), (found.unlocks, "unlock"), (found.refunds, "refund")
    return ", ".join(counted(count, noun) for count, noun in counts)


def _refused(found: Counterfactual) -> tuple[int, int]:
    return found.refused_runs, found.refused_unlocks


def _group(one: Group) -> dict[str, Any]:
    plain = {"name": one.name, "charges": one.charges, "refused": one.refused, "refused_credits": one.refused_credits}
    changes = {"users_paid": one.users, "creators": one.creators, "platform": one.platform}
    return plain | {name: _change(change) for name, change in changes.items()}


def _change(change: Change) -> dict[str, int | None]:
    return {
        "recorded_credits": change.recorded_credits,
        "plan_credits": change.plan_credits,
        "difference_credits": change.difference_credits,
        "difference_bps": change.difference_bps,
    }
