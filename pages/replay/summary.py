"""A replay as one page to print: a single HTML file that any browser opens."""

from collections.abc import Iterable, Sequence
from html import escape

from credits_core.lab.replay import report as replay_report
from credits_core.lab.replay.result import Change, Counterfactual, Group
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.values.text import format_credits, format_usd

_ROWS = 15
_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; color: #1b1d2a; max-width: 52em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; width: 100%; margin: .5em 0 1.5em; page-break-inside: avoid }
th, td { padding: .25em .5em; border-bottom: 1px solid #d5d7e2; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
h2 { font-size: 12pt; margin: 1.5em 0 0; page-break-after: avoid }
pre { background: #f4f5f9; padding: 1em; white-space: pre-wrap; page-break-inside: avoid }
small { color: #5b5f73 }
"""


def page(found: Counterfactual, plan: PricePlan, days: str, *, told: Sequence[str] | None = None) -> bytes:
    """The replay as HTML in UTF-8; `days` says in words which days it is of.

    `told` is what there is to know about runs that the ledger does not have; None for the ledger's.
    """
    checks = [] if told is not None else [replay_report.against_record(found)]
    own = [] if told is not None else [replay_report.own_plans(found)]
    sums = found.sums
    parties = [
        ("Users paid", sums.users, -sums.users.difference_credits),
        ("Providers received", sums.inference, sums.inference.difference_credits),
        ("Creators received", sums.creators, sums.creators.difference_credits),
        ("Platform received", sums.platform, sums.platform.difference_credits),
    ]
    title = f"History under {plan.id}, {days}"
    body = [
        f"<h1>{escape(title)}</h1>",
        *_paragraphs([replay_report.headline(found), *checks]),
        *_table(["", "Recorded", "Under the plan", "Gains"], (_party(*party) for party in parties)),
        "<p><small>Plus is better off, minus is worse off. A refused charge is no gain for a user.</small></p>",
        *_paragraphs([replay_report.changes(found), *own]),
        *_groups("Models", found.by_model.page(0, _ROWS), len(found.by_model), "users"),
        *_groups("Creators", found.by_creator.page(0, _ROWS), len(found.by_creator), "creators"),
        *_groups("Users", found.by_user.page(0, _ROWS), len(found.by_user), "users"),
        "<h2>Limits of a replay</h2>",
        *_paragraphs(replay_report.limits(found) if told is None else told),
        "<h2>The plan</h2>",
        f"<pre>{escape(price_plan_toml(plan))}</pre>",
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<style>{_STYLE}</style>{''.join(body)}</html>\n".encode()


def _groups(title: str, groups: Sequence[Group], in_all: int, measure: str) -> Iterable[str]:
    if not groups:
        return
    what = "received" if measure == "creators" else "paid"
    yield f"<h2>{title}, the largest differences first</h2>"
    header = ["", "Charges", "Refused", f"Recorded {what}", "Under the plan", "Gains"]
    yield from _table(header, (_group(one, measure) for one in groups))
    if in_all > len(groups):
        yield f"<p><small>Showing {len(groups)} of {in_all:,}.</small></p>"


def _party(name: str, change: Change, gain_credits: int) -> list[str]:
    return [name, _credits(change.recorded_credits), _credits(change.plan_credits), _signed(gain_credits)]


def _group(one: Group, measure: str) -> list[str]:
    change: Change = getattr(one, measure)
    gain_credits = change.difference_credits if measure == "creators" else one.user_gain_credits
    amounts = [format_credits(change.recorded_credits), format_credits(change.plan_credits), _signed(gain_credits)]
    return [one.name, f"{one.charges:,}", f"{one.refused:,}", *amounts]


def _credits(credits: int) -> str:
    return f"{format_credits(credits)} ({format_usd(credits)})"


def _signed(credits: int) -> str:
    return f"{replay_report.signed(credits)} ({format_usd(credits)})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
    yield "</table>"


def _paragraphs(texts: Iterable[str]) -> Iterable[str]:
    return (f"<p>{escape(text)}</p>" for text in texts)
