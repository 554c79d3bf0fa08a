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


def page(found: Counterfactual, plan: PricePlan, days: str) -> bytes:
    """The replay as HTML in UTF-8; `days` says in words which days it is of."""
    sums = found.sums
    parties = [
        ("Users paid", sums.users),
        ("Inference", sums.inference),
        ("Creators received", sums.creators),
        ("Platform received", sums.platform),
    ]
    title = f"History under {plan.id}, {days}"
    body = [
        f"<h1>{escape(title)}</h1>",
        *_paragraphs([replay_report.headline(found), replay_report.against_record(found)]),
        *_table(["", "Recorded", "Under the plan", "Difference", ""], (_party(*party) for party in parties)),
        *_paragraphs([replay_report.changes(found), replay_report.own_plans(found)]),
        *_groups("Models", found.by_model.page(0, _ROWS), len(found.by_model), "users"),
        *_groups("Creators", found.by_creator.page(0, _ROWS), len(found.by_creator), "creators"),
        *_groups("Users", found.by_user.page(0, _ROWS), len(found.by_user), "users"),
        "<h2>Limits of a replay</h2>",
        *_paragraphs(replay_report.limits(found)),
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
    header = ["", "Charges", "Refused", f"Recorded {what}", "Under the plan", "Difference"]
    yield from _table(header, (_group(one, getattr(one, measure)) for one in groups))
    if in_all > len(groups):
        yield f"<p><small>Showing {len(groups)} of {in_all:,}.</small></p>"


def _party(name: str, change: Change) -> list[str]:
    amounts = [_credits(change.recorded_credits), _credits(change.plan_credits), _signed(change)]
    return [name, *amounts, replay_report.per_cent(change)]


def _group(one: Group, change: Change) -> list[str]:
    amounts = [format_credits(change.recorded_credits), format_credits(change.plan_credits), _signed(change)]
    return [one.name, f"{one.charges:,}", f"{one.refused:,}", *amounts]


def _credits(credits: int) -> str:
    return f"{format_credits(credits)} ({format_usd(credits)})"


def _signed(change: Change) -> str:
    difference_credits = change.difference_credits
    return f"{replay_report.signed(difference_credits)} ({format_usd(difference_credits)})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
    yield "</table>"


def _paragraphs(texts: Iterable[str]) -> Iterable[str]:
    return (f"<p>{escape(text)}</p>" for text in texts)
