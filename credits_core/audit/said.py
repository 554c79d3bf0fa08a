"""Words for what findings name: credits, days, daily sums and prices, also where a damaged row has something else."""

from collections.abc import Sequence
from decimal import Decimal

from credits_core.audit.recompute import AMOUNTS
from credits_core.values.days import day_of

_DAYS = range(-100_000, 2_900_000)
"""Days that have a date."""
_LABELS = tuple(name.removesuffix("_credits").replace("_", " ") for name in AMOUNTS)


def grouped(number: object) -> str:
    """A number with its thousands apart; what is no whole number as it is.

    >>> grouped(-157_961), grouped(None), grouped("abc")
    ('-157,961', 'none', "'abc'")
    """
    if isinstance(number, int | Decimal):  # PostgreSQL adds whole numbers up to decimal ones
        return f"{number:,}"
    return "none" if number is None else repr(number)


def credits(number: object) -> str:
    """An amount with its unit.

    >>> credits(1_200), credits(1)
    ('1,200 credits', '1 credit')
    """
    return f"{grouped(number)} {'credit' if number == 1 else 'credits'}"


def day(number: object) -> str:
    """The date of a day that is counted from 1970-01-01.

    >>> day(20_783), day(10**9)
    ('2026-11-26', 'day 1,000,000,000')
    """
    return day_of(number).isoformat() if isinstance(number, int) and number in _DAYS else f"day {grouped(number)}"


def kinds(entry_type: object, type_: object) -> str:
    """The types of an entry and of its transaction; one where they are the same.

    >>> kinds("prompt_run", "prompt_run"), kinds("prompt_run", "creator_payment")
    ('prompt run', 'prompt run, creator payment')
    """
    names = [entry_type] if entry_type == type_ else [entry_type, type_]
    return ", ".join(str(name).replace("_", " ") for name in names)


def daily_total(key: Sequence[object], amounts: Sequence[object] | None) -> tuple[str, str]:
    """What a row of `daily_totals` is of, and what it says; nothing where there is no such row."""
    number, account, entry_type, type_ = key
    said = "nothing" if amounts is None else f"{credits(amounts[0])} in {_counted(amounts[1], 'movement')}"
    return f"the daily total of {day(number)} for {account} ({kinds(entry_type, type_)})", said


def daily_sum(key: Sequence[object], amounts: Sequence[object] | None) -> tuple[str, str]:
    """The same of `daily_sums`, where a party is a platform account or all users together."""
    number, party, entry_type, type_ = key
    of = f"the daily sum of {day(number)} for {party} ({kinds(entry_type, type_)})"
    if amounts is None:
        return of, "nothing"
    received, given, movements, first, last = amounts
    return of, (
        f"{credits(received)} received and {grouped(given)} given in {_counted(movements, 'movement')}"
        f" of entries {first} to {last}"
    )


def daily_use(key: Sequence[object], amounts: Sequence[object] | None) -> tuple[str, str]:
    """The same of `daily_works`: the uses of a prompt or flow under one plan."""
    number, entry_type, work, creator, plan = key
    by = f" by {creator}" if creator else ""
    of = f"the daily use of {day(number)} for {work}{by} under {plan} ({kinds(entry_type, entry_type)})"
    if amounts is None:
        return of, "nothing"
    uses, fees, shares, *refunded = map(grouped, amounts)
    used_back, fees_back, shares_back = refunded
    return of, (
        f"{uses} uses with fees of {fees} credits, {shares} of them for the creator;"
        f" refunded are {used_back} uses with {fees_back}, {shares_back} of them for the creator"
    )


def priced_again(entry_id: int, recorded: Sequence[object], again: Sequence[object]) -> str:
    """That a run's recorded amounts (in the order of `AMOUNTS`) are not those of its price: those that differ.

    >>> priced_again(7, (3_840, 0, 0, 0, 0), (3_942, 0, 0, 0, 0))
    'run 7 is recorded as inference cost 3,840 credits, and priced again as inference cost 3,942 credits'
    """
    differing = [place for place in range(len(AMOUNTS)) if recorded[place] != again[place]]
    was, now = (
        ", ".join(f"{_LABELS[place]} {grouped(amounts[place])}" for place in differing) for amounts in (recorded, again)
    )
    return f"run {entry_id} is recorded as {was} credits, and priced again as {now} credits"


def _counted(number: object, noun: str) -> str:
    return f"{grouped(number)} {noun}{'' if number == 1 else 's'}"
