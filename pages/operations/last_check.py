"""The last check of the record: how long ago it was, how much came since, and its results by subject."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from credits_core.audit.log import LoggedAudit, LoggedFinding
from credits_core.operations.verdicts import ago
from pages.parts import clock, tables, words

SUBJECTS = {
    "Money": (
        "the transactions of every entry sum to zero",
        "every balance is the sum of its transactions",
        "every balance follows from the one before",
        "every part of a user is the sum of its transactions",
        "every hold ends once, as it was made",
        "every lot follows from the journal",
        "every purchase follows from its payments",
        "every payout follows from its cycle",
        "the daily totals are sums of the transactions",
        "every entry has the form of its kind",
        "every run costs what its inputs say",
        "every run has the price of its list",
        "every run matches its transactions",
        "every unlock is split as its plan says",
        "every unlock matches its transactions",
        "every refund reverses its entry, once",
        "every refund has its rule",
        "every refund in parts gives back its part",
        "nobody has spent more than a limit",
    ),
    "History": (
        "the chain of seals holds",
        "people, keys and proposals are as the record of changes says",
        "every entry says what was asked for",
        "everything in an entry happened at one time",
        "every activated plan is as it was activated",
        "every live price list is as it was made live",
        "every answer without a payment names its unlock",
    ),
    "Database": (
        "history cannot be changed",
        "every constraint is in place and holds",
        "everything that is referred to exists",
    ),
}
"""What each check is about, in the order of the screen. One that could not add up has no subject."""
_ORDER = [(subject, name) for subject, names in SUBJECTS.items() for name in names]
_PLACES = {name: (place, subject) for place, (subject, name) in enumerate(_ORDER)}
_NO_PLACE = (-1, "")
MOST_SINCE = 1_000
"""From this number of new entries on it is only said that there are more."""


def show(last: LoggedAudit | None, findings: Sequence[LoggedFinding], since: int) -> None:
    """Whether everything held, and what was wrong. `since` is how many entries came later."""
    if last is None:
        st.info("Choose *Check now*. A large record takes a minute.", title="Not checked yet", icon=":material/help:")
        return
    later = f"More than {MOST_SINCE:,}" if since > MOST_SINCE else f"{since:,}"
    came = "No entry since" if since == 0 else f"{later} {'entry' if since == 1 else 'entries'} since"
    when = f"Checked {ago(datetime.now(UTC) - last.finished_at)}, at {clock.text(last.finished_at)}. {came}."
    if last.ok:
        st.success(when, title=f"All {last.invariants} checks passed", icon=":material/verified_user:")
        return
    found = "".join(
        f"- {words.plain(one.invariant)}: {words.plain(one.first_wrong)}\n" for one in findings if not one.is_ok
    )
    st.error(
        f"{found}\n{when}",
        title=f"{last.broken_invariants} of {last.invariants} checks failed",
        icon=":material/gpp_bad:",
    )


def table(findings: Sequence[LoggedFinding]) -> None:
    """Every check with its result: what is broken first, then by subject."""
    rows = [
        {
            "About": _PLACES.get(one.invariant, _NO_PLACE)[1],
            "What must hold": f"{one.invariant[:1].upper()}{one.invariant[1:]}.",
            "Result": "Holds" if one.is_ok else "Broken",
            "Checked": one.checked,
            "Wrong": one.wrong,
        }
        for one in sorted(findings, key=lambda one: (one.is_ok, _PLACES.get(one.invariant, _NO_PLACE)[0]))
    ]
    tables.draw(rows, {}, alt="Every check with its last result", key="invariants", opens={})
