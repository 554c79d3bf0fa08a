"""A finding in plain words for Markdown: what was found, about whom, and where one sees more."""

from collections.abc import Mapping

from credits_core.operations.watch_findings import Finding
from credits_core.operations.watch_rules import WatchRule
from credits_core.values.text import counted
from pages.parts.words import both, plain

NAMES: Mapping[WatchRule, str] = {
    WatchRule.SPENDING: "Unusual spending",
    WatchRule.REFUNDS: "Many refunds",
    WatchRule.ONE_PAYER: "One payer",
    WatchRule.OWN_RUNS: "Own runs",
    WatchRule.BELOW_COST: "Priced at zero or below cost",
    WatchRule.MANY_USERS: "A key for many users",
}
_PLACES: Mapping[WatchRule, tuple[str, str, str]] = {
    WatchRule.SPENDING: ("explore/balances.py", "user", "See this user"),
    WatchRule.REFUNDS: ("explore/creator_earnings.py", "creator", "See this creator"),
    WatchRule.ONE_PAYER: ("explore/creator_earnings.py", "creator", "See this creator"),
    WatchRule.OWN_RUNS: ("explore/creator_earnings.py", "creator", "See this creator"),
    WatchRule.MANY_USERS: ("explore/history.py", "by", "See what this key did"),
}


def sentence(one: Finding) -> str:
    r"""What was found, in one sentence.

    >>> from datetime import UTC, date, datetime
    >>> numbers = {"users": 20, "most_before": 4, "window_minutes": 10}
    >>> when = datetime(2026, 3, 1, tzinfo=UTC)
    >>> sentence(Finding(1, WatchRule.MANY_USERS, "api/shop", date(2026, 3, 1), numbers, (), when, None))
    'The key api/shop charged for 20 users within 10 minutes\\. Its most on a day before was 4 users\\.'
    """
    number = {name: text for name, text in one.numbers.items() if isinstance(text, int)}
    about = plain(one.subject)
    match one.rule:
        case WatchRule.SPENDING:
            spent, largest = number["spent_credits"], number["largest_day_credits"]
            return f"{about} spent {both(spent)} on one day. The largest day before had {both(largest)}."
        case WatchRule.REFUNDS:
            refunded, earned = number["refunded_credits"], number["earned_credits"]
            return f"Of the {both(earned)} that {about} earned, {both(refunded)} were refunded."
        case WatchRule.ONE_PAYER:
            return f"{plain(str(one.numbers['payer']))} paid {_share(number)} of {about}."
        case WatchRule.OWN_RUNS:
            return f"{about} paid themselves {_share(number)}."
        case WatchRule.BELOW_COST:
            lost, runs = number["lost_credits"], counted(number["runs"], "run")
            return f"{runs} of {about} had a model that costs nothing, or lost credits: {both(lost)}."
        case WatchRule.MANY_USERS:
            users, before = counted(number["users"], "user"), counted(number["most_before"], "user")
            within = number["window_minutes"]
            return plain(
                f"The key {one.subject} charged for {users} within {within} minutes."
                f" Its most on a day before was {before}."
            )


def _share(number: Mapping[str, int]) -> str:
    return (
        f"{both(number['paid_credits'])} of {both(number['earned_credits'])}, the last {number['payments']:,} payments"
    )


def place(one: Finding) -> tuple[str, str, dict[str, str]] | None:
    """The screen that shows whom it is about, the words of the link, and what the link chooses; None for none."""
    if one.rule not in _PLACES:
        return None
    file, box, label = _PLACES[one.rule]
    return file, label, {box: one.subject}
