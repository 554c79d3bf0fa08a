"""A statement: every entry of somebody in some days, with proofs, checked by one file that stands alone."""

from copy import deepcopy
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.audit import check_proof, seal_proofs, seals
from credits_core.audit.check_proof import ProofFails
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger
from tests.support.damage import MUCH_LATER


@pytest.fixture
def days(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Three days, sealed five entries at a time."""
    monkeypatch.setattr(seals, "MOST_IN_A_SEAL", 5)
    busy_ledger.three_days(engine)
    seals.catch_up(engine, now=MUCH_LATER)
    return engine


def _statement(engine: Engine, user: str, within: DayRange | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    with database.read(engine) as connection:
        newest = seals.newest(connection)
        assert newest is not None
        return seal_proofs.statement_of(connection, user, within or DayRange()), seal_proofs.head(newest)


def _numbers(statement: dict[str, Any]) -> list[int]:
    return [proof["record"]["entry"]["id"] for proof in statement["proofs"]]


def test_a_statement_has_every_entry_and_says_what_was_received_and_paid(days: Engine) -> None:
    statement, head = _statement(days, "ada")
    said = check_proof.check(statement, head)
    with days.connect() as connection:
        sql = (
            "SELECT count(DISTINCT entry_id), min(entry_id), max(entry_id),"
            " sum(CASE WHEN amount_credits > 0 THEN amount_credits ELSE 0 END), sum(amount_credits)"
            " FROM credit_transactions WHERE account_id = 'ada'"
        )
        count, first, last, received, balance = connection.exec_driver_sql(sql).one()
    assert said == (
        f"{count} entries of ada, from entry {first} to entry {last}, are as sealed, and none between is left out: "
        f"0 credits before, {received} received, {received - balance} paid, {balance} after; "
        f"seal {head['number']} with the hash {head['hash']} names their seals"
    )


def test_a_statement_of_a_creator_has_the_payments_of_its_days_alone(days: Engine) -> None:
    everything, head = _statement(days, "cara")
    second = busy_ledger.THIRD_DAY.date()
    of_a_day, _ = _statement(days, "cara", DayRange(date(2000, 1, 1), second))
    assert _numbers(of_a_day) == _numbers(everything)
    later, _ = _statement(days, "cara", DayRange(second, second))
    assert 0 < len(_numbers(later)) < len(_numbers(everything))
    check_proof.check(later, head)


def test_what_is_left_out_twice_or_of_somebody_else_is_told(days: Engine) -> None:
    statement, head = _statement(days, "ada")
    proofs = statement["proofs"]
    with pytest.raises(ProofFails, match="an entry of ada is left out between entry"):
        check_proof.check(statement | {"proofs": [proofs[0], *proofs[2:]]}, head)
    for wrong in ([proofs[0], *proofs], proofs[::-1]):
        with pytest.raises(ProofFails, match="or does not stand after entry"):
            check_proof.check(statement | {"proofs": wrong}, head)
    with pytest.raises(ProofFails, match="is none of ben"):
        check_proof.check(statement | {"user": "ben"}, head)
    with pytest.raises(ProofFails):
        check_proof.check(statement | {"proofs": []}, head)
    changed = deepcopy(statement)
    changed["proofs"][1]["record"]["transactions"][0]["amount_credits"] += 1
    with pytest.raises(ProofFails, match="is not what seal"):
        check_proof.check(changed, head)
    with pytest.raises(ProofFails, match="does not have the hash that your head"):
        check_proof.check(statement, head | {"hash": "0" * 64})


def test_there_is_no_statement_of_nothing_or_of_too_much(days: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match="has no entries in these days: nobody"):
        _statement(days, "nobody")
    monkeypatch.setattr(seal_proofs, "MOST_IN_A_STATEMENT", 2)
    with pytest.raises(InvalidRequest, match="has more than 2 entries in these days; choose fewer days"):
        _statement(days, "ada")
