"""What the jobs do that look for faults and for what is unusual, and have it told."""

from collections.abc import Sequence
from functools import partial

from credits_core import settings
from credits_core.notices import sending
from credits_core.operations import alerts, alerts_told, watch
from credits_core.operations.surroundings import Surroundings
from credits_core.operations.watch_rules import load_watch_rules
from credits_core.values.progress import Progress, Work
from credits_core.values.text import counted

_STEPS = 100


def check_alerts(around: Surroundings, jobs: Sequence[str]) -> Work[str]:
    """Keep what is wrong now, and send one message about what is new of it. `jobs` are the names of all jobs."""
    yield Progress(0, 2)
    wrong = alerts.check(around.engine, jobs, now=around.clock(), zone=around.zone)
    yield Progress(1, 2)
    addresses, taken = settings.notify_urls(), 0
    if addresses:
        taken = alerts_told.tell(around.engine, partial(sending.send, addresses=addresses), now=around.clock())
    told = f" Told of what is new: {taken:,} of {len(addresses):,} addresses." if taken else ""
    said = f"{counted(wrong, 'thing')} wrong." if wrong else "Nothing is wrong."
    return f"{said}{told}"


def watch_credits(around: Surroundings) -> Work[str]:
    """Watch the entries that are new, at most a million in one run, and keep what is unusual."""
    rules = load_watch_rules(settings.WATCH_FILE)
    entries = findings = 0
    for step in range(_STEPS):
        yield Progress(step, _STEPS)
        done = watch.watch_step(around.engine, rules, now=around.clock(), zone=around.zone)
        if done is None:
            break
        entries, findings = entries + done.entries, findings + done.findings
    if not entries:
        return "No new entries."
    return f"{counted(entries, 'new entry number')} watched, {counted(findings, 'new finding')}."
