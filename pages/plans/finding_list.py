"""The findings of a plan as sentences, each with last month's runs that it hits and what is at stake on them."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from credits_core.lab.inspector.findings import FindingKind, PlanFinding
from credits_core.lab.replay.hits import Hits
from credits_core.values.days import day_of
from credits_core.values.text import counted
from pages.parts import amounts, links, tables, words
from pages.plans import charts as plan_charts
from pages.plans.month import Month

SHOWN = 3
"""As many findings stand beside the chart; the others, which are less urgent, are folded away."""
_MOST_RUNS = 200
_BADGES = {
    FindingKind.CLIFF: ("red", "trending_down"),
    FindingKind.INVERSION: ("orange", "swap_vert"),
    FindingKind.LOSS: ("yellow", "money_off"),
    FindingKind.UNMARKED: ("gray", "remove"),
    FindingKind.UNSEEN: ("gray", "visibility_off"),
}
_NOUNS = {
    FindingKind.CLIFF: "cliff",
    FindingKind.INVERSION: "fee inversion",
    FindingKind.LOSS: "loss zone",
    FindingKind.UNMARKED: "range without markup",
}
_AT_STAKE = {
    FindingKind.CLIFF: "{} paid {} too much",
    FindingKind.INVERSION: "{} earned us {} less",
    FindingKind.LOSS: "{} lost {} to card fees",
    FindingKind.UNMARKED: "{} earned us nothing on {}",
    FindingKind.UNSEEN: "{} came to {} in all",
}
_COLUMNS = {
    FindingKind.CLIFF: "Too much",
    FindingKind.INVERSION: "Below markup",
    FindingKind.LOSS: "Lost",
    FindingKind.UNMARKED: "Cost without markup",
    FindingKind.UNSEEN: "Total",
}


def counts(found: Sequence[PlanFinding], kinds: Sequence[FindingKind] = tuple(_NOUNS)) -> str:
    """How many findings of each of these kinds there are, those without any left out; empty for none.

    >>> from credits_core.lab.inspector.shape import CostRange
    >>> cliff = PlanFinding(FindingKind.CLIFF, CostRange(9, 10), "")
    >>> counts([cliff, cliff, PlanFinding(FindingKind.LOSS, CostRange(1, 4), "")])
    '2 cliffs, 1 loss zone'
    """
    by_kind = Counter(finding.kind for finding in found)
    ranges = {kind: counted(by_kind[kind], noun) for kind, noun in _NOUNS.items()}
    if by_kind[FindingKind.UNMARKED] > 1:
        ranges[FindingKind.UNMARKED] = f"{by_kind[FindingKind.UNMARKED]} ranges without markup"
    return ", ".join(ranges[kind] for kind in kinds if by_kind[kind])


def headline(found: Sequence[PlanFinding], hits: Sequence[Hits], month: Month | None) -> str:
    """The answer in a sentence, for Markdown: what the cliffs took last month, or that there is none."""
    cliffs = sum(finding.kind is FindingKind.CLIFF for finding in found)
    if not cliffs:
        return "This plan has no cliffs." if found else "No problems found in this plan."
    if month is None or not hits:
        return f"This plan has {counted(cliffs, 'cliff')}: dearer runs that cost less."
    runs, too_much_credits = _overpaid([one for one in hits if one.finding.kind is FindingKind.CLIFF])
    if not runs:
        return f"This plan has {counted(cliffs, 'cliff')}, but no run of last month fell off."
    which = f"{runs:,} of last month's {counted(month.recent.runs, 'run')}"
    return f"{which} paid {amounts.in_words(too_much_credits)} too much.".replace("$", r"\$")


def _overpaid(cliffs: Sequence[Hits]) -> tuple[int, int]:
    """How many runs, and what they overpaid; a run before two cliffs counts once, with the larger drop."""
    charge = np.concatenate([one.charge for one in cliffs])
    runs, at = np.unique(charge, return_inverse=True)
    too_much = np.zeros(len(runs), np.int64)
    np.maximum.at(too_much, at, np.concatenate([one.stake_credits for one in cliffs]))
    return len(runs), int(too_much.sum())


def draw(
    found: Sequence[PlanFinding], hits: Sequence[Hits], month: Month | None, *, choose: Callable[[int, bool], None]
) -> None:
    """Each finding in a box, the urgent ones first. `choose` is given its number, and whether to open its runs."""
    for number in range(min(SHOWN, len(found))):
        _box(number, found[number], hits, month, choose)
    if len(found) > SHOWN:
        with st.expander(f"{len(found) - SHOWN} more: {_names(found[SHOWN:])}"):
            for number in range(SHOWN, len(found)):
                _box(number, found[number], hits, month, choose)


def _names(found: Sequence[PlanFinding]) -> str:
    names = dict.fromkeys(plan_charts.FINDING_NAMES[finding.kind].lower() for finding in found)
    return ", ".join(names)


def _box(
    number: int,
    finding: PlanFinding,
    hits: Sequence[Hits],
    month: Month | None,
    choose: Callable[[int, bool], None],
) -> None:
    colour, icon = _BADGES[finding.kind]
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.button(
                f":{colour}-badge[:material/{icon}: {plan_charts.FINDING_NAMES[finding.kind]}]",
                type="tertiary",
                key=f"finding:{number}:show",
                help="Show it in the chart",
                on_click=choose,
                args=(number, False),
            )
            if hits and hits[number].runs:
                st.button(
                    at_stake(hits[number]),
                    type="tertiary",
                    key=f"finding:{number}:runs",
                    help="Open these runs",
                    on_click=choose,
                    args=(number, True),
                )
            elif month is not None:
                st.caption("No run of last month", width="content")
        st.caption(words.plain(finding.sentence))


def at_stake(hit: Hits) -> str:
    """Last month's runs that a finding hits, and what is at stake on them, for Markdown."""
    said = _AT_STAKE[hit.finding.kind].format(counted(hit.runs, "run"), amounts.in_words(hit.at_stake_credits))
    return f"**{said}**".replace("$", r"\$")


def open_runs(hit: Hits, month: Month) -> None:
    """A drawer with the runs that a finding hits, most at stake first. Each opens its explanation."""
    st.dialog(f"Last month: {at_stake(hit)}", position="right", width=720)(_runs)(hit, month)


def _runs(hit: Hits, month: Month) -> None:
    st.markdown(words.plain(hit.finding.sentence))
    charges, shown = month.history.charges, hit.largest(_MOST_RUNS)
    column = _COLUMNS[hit.finding.kind]
    rows = [
        {
            "Entry": int(charges.entry_id[at]),
            column: credits,
            "User": month.history.accounts[charges.payer[at]],
            "Inference": int(charges.inference_cost_credits[at]),
            "Charged": int(charges.total_credits[at]),
            "Model": month.history.models[charges.model[at]],
            "Day": day_of(int(charges.day[at])).isoformat(),
        }
        for at, credits in zip(shown.charge.tolist(), shown.stake_credits.tolist(), strict=True)
    ]
    tables.draw(
        rows,
        {column: "Dollars", "Inference": None, "Charged": None},
        alt="Last month's runs that the finding hits",
        key="hit-runs",
        opens={
            "Entry": lambda row: explain(rows[row]["Entry"]),
            "User": lambda row: _open_user(rows[row]["User"]),
        },
    )
    if hit.runs > len(rows):
        st.caption(f"The {len(rows)} with most at stake, of {hit.runs:,}.")


def explain(entry_id: object) -> None:
    """Open the explanation of a charge."""
    st.switch_page("explain/explain_charge.py", query_params=links.link_to(entry=str(entry_id)))


def _open_user(user_id: object) -> None:
    st.switch_page("explore/balances.py", query_params=links.link_to(user=str(user_id)))
