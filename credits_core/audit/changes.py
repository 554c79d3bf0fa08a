"""The invariant of people, test users, API keys and proposals: each is as the record of changes says.

These rows rightly change, so no seal covers what changes of them. The record (`activity`) is sealed; here it is done
over again, and compared with what is there.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.activity import Change
from credits_core.store.tables import ActivityRecord, ApiKey, JournalEntry, Person, Proposal, TrialUser
from credits_core.values.days import to_microseconds

_PEOPLE = (Change.PERSON_ADDED, Change.ROLES_CHANGED, Change.PERSON_REMOVED)
_TEST_USERS = (Change.TEST_USER_ADDED, Change.TEST_USER_REMOVED)
_KEYS = (Change.KEY_MADE, Change.KEY_REPLACED, Change.KEY_REVOKED)
_DECISIONS = {
    Change.APPROVED: "approved",
    Change.DECLINED: "declined",
    Change.WITHDRAWN: "withdrawn",
    Change.EXPIRED: "expired",
}
_MOVES_CREDITS = {"add_credits", "refund"}
_NOBODY = "proposals"
_MINUTE_US = 60_000_000
_LONGEST_OVERLAP_US = to_microseconds(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=30))


@dataclass(frozen=True, slots=True)
class _Record:
    kind: Change
    subject: str
    detail: Mapping[str, Any]
    actor: str
    at_us: int


def changes_are_on_record(connection: Connection, _: Plans, _since: Since = BEGINNING) -> Finding:
    """Who may sign in with which roles, who is a test user, when each API key ends and what became of each proposal
    is what the record of changes says; an approved movement of credits has the entry that it posted."""
    records, violations = _records(connection)
    checked = len(records)
    for compared in (_people, _test_users, _keys, _proposals):
        violations += compared(connection, records)
    return Finding("people, keys and proposals are as the record of changes says", checked, tuple(violations))


def _records(connection: Connection) -> tuple[list[_Record], list[str]]:
    kinds = [kind.value for kind in (*_PEOPLE, *_TEST_USERS, *_KEYS, Change.PROPOSED, *_DECISIONS)]
    rows = connection.execute(
        select(
            ActivityRecord.id,
            ActivityRecord.kind,
            ActivityRecord.subject,
            ActivityRecord.detail,
            ActivityRecord.actor,
            ActivityRecord.happened_at_us,
        )
        .where(ActivityRecord.kind.in_(kinds))
        .order_by(ActivityRecord.id)
    )
    records, unreadable = list[_Record](), list[str]()
    for number, kind, subject, detail, actor, at_us in rows:
        try:
            read = json.loads(detail)
        except (ValueError, TypeError, RecursionError):
            read = None
        if not isinstance(read, dict):
            unreadable.append(f"the detail of record {number} cannot be read")
            read = {}
        records.append(_Record(Change(kind), subject, read, actor, at_us))
    return records, unreadable


def _people(connection: Connection, records: list[_Record]) -> Iterator[str]:
    wanted: dict[str, dict[str, object]] = {}
    for one in records:
        if one.kind not in _PEOPLE:
            continue
        row = wanted.setdefault(one.subject, {})
        if one.kind is Change.PERSON_REMOVED:
            row["removed_at_us"] = one.at_us
            continue
        row["roles"] = one.detail.get("roles")
        if one.kind is Change.PERSON_ADDED:
            row |= {"since_us": one.at_us, "added_by": one.actor, "removed_at_us": None}
    columns = (Person.email, Person.roles, Person.since_us, Person.added_by, Person.removed_at_us)
    for found in connection.execute(select(*columns).order_by(Person.email)).mappings():
        email = found["email"]
        yield from _different(email, found, wanted.pop(email, None))
    yield from (f"{email} is on record and gone" for email in wanted)


def _test_users(connection: Connection, records: list[_Record]) -> Iterator[str]:
    wanted: dict[str, dict[str, object]] = {}
    for one in records:
        if one.kind is Change.TEST_USER_ADDED:
            wanted[one.subject] = {"since_us": one.at_us, "actor": one.actor}
        if one.kind is Change.TEST_USER_REMOVED:
            wanted.pop(one.subject, None)
    columns = (TrialUser.user_id, TrialUser.since_us, TrialUser.actor)
    for found in connection.execute(select(*columns).order_by(TrialUser.user_id)).mappings():
        user_id = found["user_id"]
        yield from _different(f"the test user {user_id}", found, wanted.pop(user_id, None))
    yield from (f"the test user {user_id} is on record and gone" for user_id in wanted)


def _different(name: str, found: Mapping[Any, Any], wanted: Mapping[str, object] | None) -> Iterator[str]:
    if wanted is None:
        yield f"{name} is not on record"
        return
    for column, recorded in wanted.items():
        if found[column] != recorded:
            yield f"{name} has {column} {found[column]}, but the record says {recorded}"


def _keys(connection: Connection, records: list[_Record]) -> Iterator[str]:
    """What differs of keys. A key that is older than the record of changes is on no record."""
    of_keys = [one for one in records if one.kind in _KEYS]
    made = {one.detail.get("key"): one for one in of_keys if one.kind is not Change.KEY_REVOKED}
    # By name, as the record of a replacement names the new key's number; and by the number of a key that was revoked.
    replaced: set[tuple[Any, int]] = {(one.subject, one.at_us) for one in of_keys if one.kind is Change.KEY_REPLACED}
    revoked = {(number, one.at_us) for one in of_keys if one.kind is Change.KEY_REVOKED for number in _revoked(one)}
    ends = replaced | revoked
    first = min((number for number in made if type(number) is int), default=None)
    began = connection.execute(select(ActivityRecord.happened_at_us).order_by(ActivityRecord.id).limit(1)).scalar()
    columns = (
        ApiKey.id,
        ApiKey.name,
        ApiKey.role,
        ApiKey.user_id,
        ApiKey.created_at_us,
        ApiKey.expires_at_us,
        ApiKey.revoked_at_us,
        ApiKey.replaced_at_us,
    )
    missing = set(ends)
    for row in connection.execute(select(*columns).order_by(ApiKey.id)).mappings():
        key, one = f"API key {row['id']} ({row['name']})", made.get(row["id"])
        is_old = (first is None or row["id"] < first) and _is_before(row["created_at_us"], began)
        if one is not None:
            yield from _as_made(key, row, one)
        elif not is_old:
            yield f"{key} is not on record"
        for column, end in (
            ("replaced_at_us", (row["name"], row["replaced_at_us"])),
            ("revoked_at_us", (row["id"], row["revoked_at_us"])),
        ):
            missing.discard(end)
            if end[1] is not None and end not in ends and not (is_old and _is_before(end[1], began)):
                yield f"{key} has {column} {end[1]}, which is not on record"
    yield from (
        f"the API key {of} was replaced or revoked on record, and is not"
        for of in sorted({str(end[0]) for end in missing})
    )


def _revoked(one: _Record) -> list[Any]:
    """The numbers of the keys that a record says were revoked together."""
    several = one.detail.get("keys")
    if isinstance(several, str):
        return [int(number) for number in several.split(",") if number.isdecimal()]
    return [one.detail.get("key")]


def _is_before(at_us: object, began: int | None) -> bool:
    return began is None or (type(at_us) is int and at_us < began)


def _as_made(key: str, row: Mapping[Any, Any], one: _Record) -> Iterator[str]:
    wanted = {"name": one.subject, "role": one.detail.get("role"), "user_id": one.detail.get("user")}
    yield from _different(key, row, wanted | {"created_at_us": one.at_us})
    until, ends = one.detail.get("until"), row["expires_at_us"]
    until_us = _moment(until)
    is_as_made = ends is None if until_us is None else type(ends) is int and until_us <= ends < until_us + _MINUTE_US
    if row["replaced_at_us"] is not None and type(ends) is int and type(row["replaced_at_us"]) is int:
        # A key that is replaced ends sooner, and the record does not say when.
        is_as_made = ends <= row["replaced_at_us"] + _LONGEST_OVERLAP_US and (
            until_us is None or ends < until_us + _MINUTE_US
        )
    if not is_as_made:
        yield f"{key} has expires_at_us {ends}, but the record says {until or 'never'}"


def _moment(said: object) -> int | None:
    """The minute that a record names, in microseconds; None where it names none."""
    try:
        return to_microseconds(datetime.strptime(str(said), "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
    except ValueError:
        return None


def _proposals(connection: Connection, records: list[_Record]) -> Iterator[str]:
    proposed = {one.subject: one for one in records if one.kind is Change.PROPOSED}
    decided = {one.subject: one for one in records if one.kind in _DECISIONS}
    columns = (
        Proposal.id,
        Proposal.kind,
        Proposal.proposed_by,
        Proposal.proposed_at_us,
        Proposal.state,
        Proposal.decided_by,
        Proposal.decided_at_us,
        Proposal.decision_reason,
        Proposal.entry_id,
        JournalEntry.idempotency_key,
    )
    rows = connection.execute(
        select(*columns).outerjoin(JournalEntry, JournalEntry.id == Proposal.entry_id).order_by(Proposal.id)
    )
    for row in rows.mappings():
        number, name = str(row["id"]), f"proposal {row['id']}"
        one, decision = proposed.pop(number, None), decided.get(number)
        yield from _different(
            name, row, None if one is None else {"proposed_by": one.actor, "proposed_at_us": one.at_us}
        )
        yield from _different(name, row, _decision(decision))
        moves = row["state"] == "approved" and row["kind"] in _MOVES_CREDITS
        if moves and row["idempotency_key"] != f"proposal:{number}":
            yield f"{name} was approved, but entry {row['entry_id'] or 'none'} is not the one that it posted"
    yield from (f"proposal {number} is on record and gone" for number in proposed)


def _decision(one: _Record | None) -> dict[str, object]:
    """What a proposal holds once it was decided by this record; as it was made where there is none."""
    if one is None:
        return {"state": "open"} | dict.fromkeys(("decided_by", "decided_at_us", "decision_reason", "entry_id"))
    return {
        "state": _DECISIONS[one.kind],
        "decided_by": None if one.actor == _NOBODY else one.actor,
        "decided_at_us": one.at_us,
        "decision_reason": one.detail.get("reason"),
        "entry_id": one.detail.get("entry"),
    }
