"""Accounts whose ids differ only in case, and ids that a spreadsheet has broken."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine, text

from credits_core.audit import invariants
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import AccountLooksAlike, BalanceTooLarge, UnknownUser
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.values.fields import require_new_user_id
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, refused, rows
from tests.support.world import HAIKU_WITH_FEE, LARGEST_CREDITS, NOW, UNLOCK

BROKEN = [
    "1.23457E+12",
    "1.23457e+12",
    "4E-5",
    "1.23E12",
    "1e5",
    "1E015",
    "45787.0",
    "1-Mar",
    "01-mar-2026",
    "Mar-26",
    "2026-03-01",
    "3/1/2026",
    "NaN",
    "nan",
    "null",
    "NULL",
    "None",
    "TRUE",
    "false",
    "n/a",
    "inf",
]
WHOLE = [
    "45787",
    "0045787",
    "12E5",
    "12345e67",
    "1.23E1234",
    "1e5a",
    "ada-1",
    "nancy",
    "truett",
    "1-mark2",
    "mar",
    "march-hare",
    "1.5",
    "v1.0",
    "2026-03",
]


@pytest.mark.parametrize("user_id", BROKEN)
def test_an_id_that_a_spreadsheet_has_broken_opens_no_account(user_id: str) -> None:
    with pytest.raises(InvalidRequest, match="a spreadsheet or program has probably changed the id"):
        require_new_user_id("user_id", user_id)


@pytest.mark.parametrize("user_id", WHOLE)
def test_an_id_that_only_resembles_one_may_be_used(user_id: str) -> None:
    assert require_new_user_id("user_id", user_id) == user_id


def test_no_action_opens_an_account_under_a_broken_id(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    with refused(engine, InvalidRequest) as caught:
        world.add(engine, "1-Mar", 5, key="k", distinct=True)
    assert caught.value.field == "user_id"  # type: ignore[attr-defined]
    for act in (
        partial(world.charge, engine, replace(HAIKU_WITH_FEE, creator_id="NaN"), key="k"),
        partial(world.unlock, engine, replace(UNLOCK, creator_id="TRUE"), key="k"),
    ):
        with refused(engine, InvalidRequest) as caught:
            act()
        assert caught.value.field == "creator_id"  # type: ignore[attr-defined]
    with refused(engine, UnknownUser):
        world.charge(engine, ChargeRequest("null", "summarise", "claude-3-haiku"), key="k")


def test_a_second_account_that_differs_only_in_case_is_refused_with_the_first_named(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    with refused(engine, AccountLooksAlike) as caught:
        world.add(engine, "Ada", 5, key="k")
    assert str(caught.value) == (
        "There is no user 'Ada', but there is 'ada'. Nothing was charged or added. Use 'ada', or say that 'Ada' is "
        "somebody else."
    )
    world.add(engine, "ben", 1, key="ben")
    for act in (
        partial(world.charge, engine, replace(HAIKU_WITH_FEE, creator_id="Ben"), key="k"),
        partial(world.unlock, engine, replace(UNLOCK, creator_id="BEN"), key="k"),
    ):
        with refused(engine, AccountLooksAlike):
            act()


def test_a_caller_who_insists_opens_the_second_account(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    world.add(engine, "Ada", 5, key="k-1", distinct=True)
    world.add(engine, "ben", 1, key="ben")
    insist = partial(actions.charge_prompt, book=book, key="k-2", now=NOW, actor=TESTER, distinct=True)
    request = replace(HAIKU_WITH_FEE, creator_id="Ben")
    database.write(engine, lambda connection: insist(connection, request))
    assert (balance(engine, "Ada"), balance(engine, "Ben")) == (5, 800)
    with refused(engine, AccountLooksAlike):  # a third one is refused again
        world.add(engine, "ADA", 5, key="k-3")
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_pairs_of_an_older_ledger_go_on(engine: Engine) -> None:
    with engine.begin() as connection:  # as earlier versions did
        for user_id in ("ada", "Ada", "ben", "Ben", "NaN"):
            connection.execute(
                text("INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES (:user, 0, 0)"),
                {"user": user_id},
            )
    for number, user_id in enumerate(("ada", "Ada", "NaN")):
        world.add(engine, user_id, 5_000, key=f"k-{number}")
    for number, user_id in enumerate(("ada", "Ada")):
        world.charge(engine, replace(HAIKU_WITH_FEE, user_id=user_id, creator_id="Ben"), key=f"run-{number}")
    assert [balance(engine, user_id) for user_id in ("ada", "Ada", "ben", "Ben", "NaN")] == [
        3_749,
        3_749,
        0,
        1_600,
        5_000,
    ]
    with refused(engine, BalanceTooLarge):
        world.add(engine, "Ada", LARGEST_CREDITS, key="much")


def _add(url: str, user_id: str) -> Receipt | CreditsError:
    with database.opened(url) as engine:
        try:
            return world.add(engine, user_id, 5, key=f"fund-{user_id}")
        except AccountLooksAlike as refusal:
            return refusal


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_of_several_who_open_such_accounts_at_once_one_succeeds(request: pytest.FixtureRequest, backend: str) -> None:
    url = request.getfixturevalue("sqlite_url" if backend == "sqlite" else "postgres_url")
    names = ["grace", "Grace", "GRACE", "gracE"]
    acts: list[Callable[[], Receipt | CreditsError]] = [partial(_add, url, user_id) for user_id in names]
    outcomes = racers.at_once(acts)
    assert [type(outcome) for outcome in outcomes].count(Receipt) == 1
    with database.opened(url) as engine:
        ((opened,),) = rows(engine, "SELECT user_id FROM user_credits")
    for outcome in outcomes:
        assert isinstance(outcome, Receipt) or (
            isinstance(outcome, AccountLooksAlike) and outcome.known_user_id == opened
        )
