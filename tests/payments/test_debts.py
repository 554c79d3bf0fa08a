"""A refund after the share was paid out becomes a debt, and the next earnings pay it: what cycles say and pay."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.ledger import parts
from credits_core.payments import payout_words, payouts
from credits_core.payments.payouts import Explained
from credits_core.store import database
from credits_core.store.kinds import Part, PayoutNews
from credits_core.values.days import date_at
from credits_core.values.time_zones import UTC_ZONE
from tests.support import paying_out, world
from tests.support.paying_out import LATER, RULES, approve, carry_out, earn, explained, has, pay_to, propose, said
from tests.support.plain_sql import balance, contradictions, rows, transactions
from tests.support.world import HAIKU_WITH_FEE

NEXT = LATER + timedelta(days=10)
AFTER_NEXT = NEXT + timedelta(days=10)


def _owed(engine: Engine) -> int:
    with database.read(engine) as connection:
        return -parts.of_user(connection, "ben").get(Part.DEBT, 0)


def _is_clean(engine: Engine) -> bool:
    assert contradictions(engine) == []
    assert [str(one) for one in invariants.check(engine, world.price_book().plans) if not one.ok] == []
    return True


def _paid_and_refunded(engine: Engine) -> None:
    """Ben was paid 1,600,000, and then the unlock that he had them from was refunded."""
    unlock = earn(engine, 2_000_000)
    pay_to(engine)
    propose(engine)
    approve(engine)
    assert "1 payout paid" in carry_out(engine)
    world.refund(engine, unlock, key="refund", now=LATER)
    assert (balance(engine, "ben"), _owed(engine)) == (0, 1_600_000)


def _preview(engine: Engine) -> Explained:
    with database.read(engine) as connection:
        found = payouts.preview(connection, RULES, today=date_at(NEXT, UTC_ZONE), zone=UTC_ZONE)
        (one,) = [one for one in found if one.creator_id == "ben"]
    return one


def test_a_refund_after_the_payout_becomes_a_debt_and_is_netted_next_time(engine: Engine) -> None:
    _paid_and_refunded(engine)
    assert propose(engine, now=LATER) == 2
    assert said(engine, 2) == [("ben", "owed", 0, "nothing")]
    assert payout_words.sentence(explained(engine, 2)[0]) == (
        "Debt first: nothing is left, and the creator owes 1,600,000 credits ($1.60). The next earnings pay it first."
    )
    earn(engine, 4_000_000, key="more", now=LATER + timedelta(hours=1))  # a share of 3,200,000 pays 1,600,000
    assert (balance(engine, "ben"), _owed(engine)) == (1_600_000, 0)
    assert payout_words.in_short(_preview(engine)) == "To acct_ben, $1.60 paid a debt"
    assert propose(engine, now=NEXT) == 3
    assert payout_words.sentence(explained(engine, 3)[0]) == (
        "1,600,000 credits ($1.60) to acct_ben is proposed. Debt netted: 1,600,000 credits ($1.60) of"
        " what was earned since the cycle before paid what was owed."
    )
    approve(engine, 3)
    carry_out(engine, NEXT)
    # Twice paid 1,600,000; earned 1,600,000 + 3,200,000, of which 1,600,000 were given back.
    assert has(engine) == (0, 0, 3_200_000)
    assert propose(engine, now=AFTER_NEXT) == 4
    assert said(engine, 4) == []
    assert [one.netted_credits for one in (explained(engine, 2)[0], explained(engine, 3)[0])] == [0, 1_600_000]
    assert _is_clean(engine)


def test_what_is_owed_is_told_as_long_as_earnings_do_not_suffice(engine: Engine) -> None:
    _paid_and_refunded(engine)
    earn(engine, 1_000_000, key="more", now=LATER + timedelta(hours=1))  # a share of 800,000
    assert (balance(engine, "ben"), _owed(engine)) == (0, 800_000)
    assert payout_words.in_short(_preview(engine)) == "$0.00 payable, $0.80 owed, $0.80 paid a debt"
    assert "is left, and the creator owes 800,000 credits ($0.80)" in payout_words.sentence(_preview(engine))
    assert _is_clean(engine)


def test_a_payout_that_fails_after_the_refund_pays_the_debt_with_what_comes_back(engine: Engine) -> None:
    unlock = earn(engine, 2_000_000)
    paying_out.pay_to_bank(engine)
    propose(engine)
    approve(engine)
    carry_out(engine)
    paying_out.hand_over(engine)
    world.refund(engine, unlock, amount_credits=500_000, key="refund", now=LATER)  # 400,000 of the share
    assert (has(engine)[:2], _owed(engine)) == ((0, 1_600_000), 400_000)
    paying_out.report(engine, PayoutNews.FAILED, reason="The account is closed")
    assert (has(engine)[:2], _owed(engine)) == ((1_200_000, 0), 0)
    returned = rows(engine, "SELECT id FROM payout_moves WHERE step = 'returned'")[0][0]
    assert transactions(engine, int(str(returned))) == [
        ("ben", "transfer", 1_600_000, 1_600_000),
        ("ben:in_payout", "transfer", -1_600_000, 0),
        ("ben", "transfer", -400_000, 1_200_000),
        ("ben:debt", "transfer", 400_000, 0),
    ]
    assert propose(engine, now=NEXT) == 2
    assert said(engine, 2) == [("ben", "paid_out", 1_200_000, "proposed")]
    assert _is_clean(engine)


def test_earnings_that_came_back_in_another_way_pay_the_debt_with_the_next_payout(engine: Engine) -> None:
    """Ben spends his share in a run of his own, which is refunded after he came to owe something."""
    unlock = earn(engine, 2_000_000)
    pay_to(engine)
    spent = paying_out.unlock(engine, "ben", "cara", 1_600_000, key="ben-spends")
    world.refund(engine, unlock, amount_credits=250_000, key="refund", now=LATER)  # 200,000 of the share
    world.refund(engine, spent, key="refund-of-ben", now=LATER)
    assert (has(engine)[0], _owed(engine)) == (1_600_000, 200_000)
    assert propose(engine, now=NEXT) == 1
    (of_ben,) = [one for one in explained(engine) if one.creator_id == "ben"]
    assert payout_words.sentence(of_ben) == (
        "1,400,000 credits ($1.40) to acct_ben is proposed, less 200,000 credits ($0.20) owed."
    )
    approve(engine)
    carry_out(engine, NEXT)
    assert (has(engine), _owed(engine)) == ((0, 0, 1_400_000), 0)
    assert _is_clean(engine)


def test_a_payout_of_which_some_was_owed_meanwhile_is_covered_or_not_as_before(engine: Engine) -> None:
    unlock = earn(engine, 2_000_000)
    pay_to(engine)
    propose(engine)
    world.refund(engine, unlock, amount_credits=1, key="refund", now=LATER)
    world.refund(engine, unlock, amount_credits=1_000_000, key="refund-2", now=LATER)
    approve(engine)
    carry_out(engine)
    assert said(engine) == [("ben", "paid_out", 1_600_000, "not covered")]
    assert (has(engine), _owed(engine)) == ((800_000, 0, 0), 0)
    run = replace(HAIKU_WITH_FEE, user_id="payer")
    world.add(engine, "payer", 2_000, key="add", now=LATER)
    world.charge(engine, run, key="run", now=LATER)
    assert balance(engine, "ben") == 800_000 + 800
    assert _is_clean(engine)
