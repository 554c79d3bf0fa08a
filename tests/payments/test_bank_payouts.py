"""Payouts through a bank, whose files say once which transfers are to be made. Each test ends with a clean audit."""

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import Engine

from credits_core.access import proposals, proposed_payouts
from credits_core.access.refusals import OwnProposal
from credits_core.audit import invariants
from credits_core.ledger import payout_news
from credits_core.ledger.refusals import PayoutEnded
from credits_core.payments import destinations, payout_files
from credits_core.payments.refusals import NothingForTheBank
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import PayoutNews
from credits_core.values.refusals import NeedsApproval
from tests.support import world
from tests.support.actors import TESTER
from tests.support.paying_out import (
    FINANCE,
    IBAN,
    LATER,
    OTHER,
    approve,
    approved,
    carry_out,
    earn,
    explained,
    hand_over,
    has,
    pay_to,
    pay_to_bank,
    propose,
    report,
)
from tests.support.plain_sql import scalar
from tests.support.world import NOW

HEAD = "payout,iban,holder,amount,currency,purpose\n"


@pytest.fixture(autouse=True)
def clean_at_the_end(engine: Engine, book: PriceBook) -> Iterator[None]:
    yield
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def bank_file(engine: Engine, number: int) -> str:
    with database.read(engine) as connection:
        return payout_files.file(connection, number)[1].decode()


def test_a_bank_can_send_money_back_after_it_was_paid(engine: Engine) -> None:
    world.add(engine, "ben", 7, key="bought", now=NOW)  # so that lots are kept
    approved(engine, pay_to_bank)
    carry_out(engine)
    assert has(engine) == (7, 1_600_000, 0)
    hand_over(engine)
    report(engine, PayoutNews.PAID, reference="SEPA-1")
    report(engine, PayoutNews.PAID, reference="SEPA-1")  # told twice
    assert has(engine) == (7, 0, 1_600_000)
    report(engine, PayoutNews.FAILED, reason="The account does not exist")
    assert has(engine) == (1_600_007, 0, 0)
    assert scalar(engine, "SELECT left_credits FROM lots WHERE user_id = 'ben' AND number = 0") == 1_600_000


def test_a_bank_is_told_of_each_transfer_once(engine: Engine) -> None:
    earn(engine, 2_000_000)
    earn(engine, 3_000_000, creator="cara", key="cara")
    earn(engine, 4_000_000, creator="dan", key="dan")
    earn(engine, 9_000_000, creator="aaron", key="aaron")  # the first payout goes through no bank
    pay_to(engine, "aaron", "acct_aaron")
    for creator in ("ben", "cara", "dan"):
        pay_to_bank(engine, creator)
    propose(engine)
    with pytest.raises(NothingForTheBank):
        hand_over(engine)  # nothing is approved
    approve(engine)
    carry_out(engine)
    database.write(engine, lambda one: destinations.pause(one, "cara", "Ask first", now=LATER, actor=TESTER))
    report(engine, PayoutNews.FAILED, 4, reason="Called back")  # no bank has it, so one person may
    assert hand_over(engine) == 1
    with pytest.raises(NothingForTheBank, match="What was ready is in file 1"):
        hand_over(engine)
    database.write(engine, lambda one: destinations.pause(one, "cara", None, now=LATER, actor=TESTER))
    with pytest.raises(PayoutEnded, match="in no file"):
        report(engine, PayoutNews.PAID, 3)
    assert hand_over(engine) == 2
    assert bank_file(engine, 1) == f"{HEAD}2,{IBAN},Ben,1.60,USD,PromptFlow payout 2\n"
    assert bank_file(engine, 2) == f"{HEAD}3,{IBAN},Ben,2.40,USD,PromptFlow payout 3\n"
    with database.read(engine) as connection:
        made = payout_files.of_cycle(connection, 1)
    assert [(one.id, one.transfers, one.total_credits) for one in made] == [(1, 1, 1_600_000), (2, 1, 2_400_000)]
    report(engine, PayoutNews.PAID, 2)
    assert bank_file(engine, 1).count("\n") == 2  # a file is what it was
    assert has(engine, "dan") == (3_200_000, 0, 8_800_000)


def test_money_that_a_bank_has_fails_only_when_another_person_says_so_too(engine: Engine, book: PriceBook) -> None:
    approved(engine, pay_to_bank)
    carry_out(engine)
    hand_over(engine)
    alone = partial(payout_news.report, payout_id=1, news=PayoutNews.FAILED, reason="No", now=LATER, actor=FINANCE)
    with pytest.raises(NeedsApproval):
        database.write(engine, alone)
    change = proposed_payouts.FailPayout(1)
    number = database.write(
        engine, lambda one: proposals.propose(one, change, reason="Account closed", actor=FINANCE, now=LATER)
    ).number
    with pytest.raises(OwnProposal):
        database.write(
            engine, lambda one: proposals.approve(one, number, book_at=lambda _: book, actor=FINANCE, now=LATER)
        )
    database.write(engine, lambda one: proposals.approve(one, number, book_at=lambda _: book, actor=OTHER, now=LATER))
    assert has(engine) == (1_600_000, 0, 0)
    assert explained(engine)[0].state == ("failed", "Account closed")
