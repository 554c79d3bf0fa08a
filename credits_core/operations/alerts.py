"""Judges the rules now and then, and keeps what is wrong and since when.

`check` is for the process that runs the jobs. A fault counts when it has lasted as long as its rule asks; one that ends
before was never there for anybody. `alerts_told` has it told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Row, delete, insert, or_, select, update

from credits_core.operations.alert_calls import read_calls
from credits_core.operations.alert_rules import RULES, Rule
from credits_core.operations.alert_state import Money, State, read_state
from credits_core.store import database
from credits_core.store.tables import Alert, AlertSample
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.time_zones import TimeZone

_SAMPLES_KEPT, _ALERTS_KEPT = timedelta(hours=3), timedelta(days=90)
_MINUTE_US = 60_000_000
_Kept = Row[int, str, int, int | None, int | None, str]
_OPEN = select(Alert.id, Alert.name, Alert.since_us, Alert.counts_from_us, Alert.told_at_us, Alert.said).where(
    Alert.ended_at_us.is_(None)
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one rule says now: one sentence, empty when all is well, None when it is not known."""

    rule: Rule
    said: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong now. `since` is None where nobody has kept it yet; `told_at` is None before a notice went out."""

    rule: Rule
    said: str
    since: datetime | None
    told_at: datetime | None


def judge(state: State, rules: Iterable[Rule] = RULES) -> list[Judged]:
    """What each rule says that can be judged from inside."""
    return [Judged(rule, rule.wrong(state)) for rule in rules if rule.wrong is not None]


def look(connection: Connection, jobs: Sequence[str], *, now: datetime, zone: TimeZone) -> list[Fault]:
    """What is wrong at this moment, the urgent first, and since when, as far as `check` has kept it.

    What has not lasted long enough to count is left out, unless no process runs the jobs, so that nobody checks.
    """
    state = _state(connection, jobs, now, zone)
    kept = {row.name: row for row in connection.execute(_OPEN)}
    faults = []
    for one in judge(state):
        row = kept.get(one.rule.name)
        if one.said and (not state.has_leader if row is None else row.counts_from_us is not None):
            since_us, told_us = (None, None) if row is None else (row.since_us, row.told_at_us)
            faults.append(Fault(one.rule, one.said, _moment(since_us), _moment(told_us)))
    return sorted(faults, key=lambda fault: not fault.rule.is_urgent)


def check(engine: Engine, jobs: Sequence[str], *, now: datetime, zone: TimeZone) -> int:
    """Judge every rule, keep what is wrong and what is over, and return how many faults count now.

    `jobs` are their names. Doing it twice changes nothing but the time that has passed.
    """
    with database.read(engine) as connection:
        state = _state(connection, jobs, now, zone)
    return database.write(engine, lambda connection: _keep(connection, state, now))


def _state(connection: Connection, jobs: Sequence[str], now: datetime, zone: TimeZone) -> State:
    return replace(read_state(connection, jobs, now=now, zone=zone), calls=read_calls(connection, now))


def _keep(connection: Connection, state: State, now: datetime) -> int:
    now_us = to_microseconds(now)
    kept = {row.name: row for row in connection.execute(_OPEN.with_for_update())}
    counted = 0
    for one in judge(state):
        row = kept.get(one.rule.name)
        if one.said:
            counted += _goes_on(connection, one.rule, one.said, row, now_us)
        elif one.said is not None and row is not None:
            _is_over(connection, row, now_us)
    connection.execute(delete(Alert).where(Alert.ended_at_us < to_microseconds(now - _ALERTS_KEPT)))
    _sample(connection, state.money, now)
    return counted


def _goes_on(connection: Connection, rule: Rule, said: str, row: _Kept | None, now_us: int) -> bool:
    """Keep that it is wrong, and say whether it counts. What has more to say than before is told once more."""
    since_us = now_us if row is None else row.since_us
    lasted_long = now_us - since_us >= rule.lasts_minutes * _MINUTE_US
    if row is None:
        counts_from_us = now_us if lasted_long else None
        connection.execute(
            insert(Alert).values(name=rule.name, said=said, since_us=now_us, counts_from_us=counts_from_us)
        )
        return lasted_long
    counts_from_us = row.counts_from_us or (now_us if lasted_long else None)
    has_more = rule.has_more is not None and rule.has_more(row.said, said)
    told_at_us = None if has_more else row.told_at_us
    values = {"said": said, "counts_from_us": counts_from_us, "told_at_us": told_at_us}
    connection.execute(update(Alert).where(Alert.id == row.id).values(values))
    return counts_from_us is not None


def _is_over(connection: Connection, row: _Kept, now_us: int) -> None:
    if row.counts_from_us is None:
        connection.execute(delete(Alert).where(Alert.id == row.id))
    else:
        connection.execute(update(Alert).where(Alert.id == row.id).values(ended_at_us=now_us))


def _sample(connection: Connection, money: Money, now: datetime) -> None:
    """Keep two sums of now. Samples of a later time are those of a clock that went wrong."""
    now_us, oldest_us = to_microseconds(now), to_microseconds(now - _SAMPLES_KEPT)
    taken = AlertSample.taken_at_us
    connection.execute(delete(AlertSample).where(or_(taken < oldest_us, taken >= now_us)))
    connection.execute(
        insert(AlertSample).values(
            taken_at_us=now_us,
            circulating_credits=money.circulating_credits,
            margin_credits=money.margin_credits,
        )
    )


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else from_microseconds(moment_us)
