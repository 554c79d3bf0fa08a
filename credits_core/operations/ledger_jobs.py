"""What the jobs do that look after the ledger itself: sums, seals, audits, and what is not needed any more."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from credits_core import settings
from credits_core.access import calls, proposals, sessions
from credits_core.audit import seal_keys, seals
from credits_core.ledger import holds
from credits_core.ledger.expiring import expire_lots
from credits_core.notices import deliveries
from credits_core.operations import runs, verifying
from credits_core.operations.refusals import JobFailed
from credits_core.operations.surroundings import Surroundings
from credits_core.operations.verifying import Verified
from credits_core.prices import list_toml
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.progress import Progress, Work
from credits_core.values.roles import system
from credits_core.values.text import counted

_SHOWN = 3
_EXPIRING = system("expiry")
_MOST_ROUNDS = 1_000
_KEPT_EVERY = timedelta(hours=1)


def roll_up(around: Surroundings) -> Work[str]:
    """Add new entries to the daily totals."""
    yield Progress(0, 1)
    added = daily_totals.catch_up(around.engine, around.zone)
    return f"{counted(added, 'new entry number')} added to the daily totals." if added else "No new entries."


def seal(around: Surroundings) -> Work[str]:
    """Seal what is new."""
    yield Progress(0, 1)
    made = seals.catch_up(around.engine, now=around.clock(), key=seal_keys.configured())
    return f"{counted(made, 'new seal')}." if made else "Nothing new to seal."


def verify_new(around: Surroundings) -> Work[str]:
    """Audit what came after the last clean audit."""
    yield Progress(0, 1)
    return _said(verifying.verify(around, since_last=True, kept_every=_KEPT_EVERY))


def verify_all(around: Surroundings) -> Work[str]:
    """Audit the whole ledger."""
    return _said((yield from verifying.verifying(around)))


def _said(found: Verified) -> str:
    if not found.is_clean:
        raise JobFailed(found.said)
    return found.said


def clean_up(around: Surroundings) -> Work[str]:
    """Close stale proposals; delete old calls, sessions, runs of jobs and deliveries: a unit of work for each kind."""
    now = around.clock()
    steps: dict[str, Callable[[Connection], int]] = {
        "stale proposals closed": partial(proposals.close_stale, now=now),
        "calls deleted": partial(calls.delete_old, most=settings.kept_calls()),
        "sessions deleted": partial(sessions.delete_old, now=now),
        "runs of jobs deleted": runs.delete_old,
        "deliveries deleted": partial(deliveries.delete_old, now=now),
    }
    done = {}
    for number, (what, step) in enumerate(steps.items()):
        yield Progress(number, len(steps))
        done[what] = database.write(around.engine, step)
    return _done(done, "There was nothing to clean up.")


def expire(around: Surroundings) -> Work[str]:
    """Give back holds, and book lots, whose time is over: a hundred users in a unit of work."""
    steps = {"holds ended": holds.expire_overdue, "users' lots booked": expire_lots}
    done = {}
    for number, (what, step) in enumerate(steps.items()):
        count = 0
        for _ in range(_MOST_ROUNDS):
            yield Progress(number, len(steps))
            some = database.write(around.engine, partial(step, now=around.clock(), actor=_EXPIRING))
            count += some
            if not some:
                break
        done[what] = count
    return _done(done, "Nothing has expired.")


def _done(counts: dict[str, int], nothing: str) -> str:
    """What was done, without what was not; or the sentence for nothing at all.

    >>> _done({"holds ended": 2, "calls deleted": 0}, "Nothing."), _done({"holds ended": 0}, "Nothing.")
    ('holds ended: 2.', 'Nothing.')
    """
    return (
        ", ".join(f"{what}: {count:,}" for what, count in counts.items() if count) + "."
        if any(counts.values())
        else nothing
    )


def check_prices(around: Surroundings) -> Work[str]:
    """Compare `data/models.toml` with the installed price package, and tell what differs. Changes nothing."""
    yield Progress(0, 1)
    file = settings.MODELS_FILE
    text = file.read_text(encoding="utf-8")
    _, changes = list_toml.refreshed(text, file.name, settings.PRICE_CORRECTIONS_FILE, around.clock().date())
    if not changes:
        return f"{file.name} has the prices of the installed genai-prices."
    shown = "; ".join(str(change) for change in changes[:_SHOWN])
    more = f"; and {len(changes) - _SHOWN:,} more" if len(changes) > _SHOWN else ""
    return f"{counted(len(changes), 'price')} of {file.name} differ from the installed genai-prices: {shown}{more}"
