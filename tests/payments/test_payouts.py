"""Payouts, from earnings to the bank and back, on both databases. Each test ends with a clean audit."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine

from credits_core.access import proposals, proposed_payouts
from credits_core.audit import invariants
from credits_core.errors import InvalidRequest
from credits_core.ledger import payout_news
from credits_core.ledger import payouts as ledger_payouts
from credits_core.ledger.refusals import (
    CycleReplaced,
    NotRefundable,
    PayoutAtGateway,
    PayoutEnded,
    UnknownCycle,
    UnknownPayout,
)
from credits_core.payments import destinations, paying, payout_lists, payout_words, payouts
from credits_core.payments.payouts import Draft
from credits_core.payments.refusals import PayoutsGoingOn
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import CreditSource, DestinationKind, PayoutNews
from credits_core.values.refusals import NeedsApproval, NotAllowed
from credits_core.values.roles import PersonRole, person
from credits_core.values.time_zones import UTC_ZONE
from tests.support import world
from tests.support.actors import TESTER
from tests.support.paying_out import (
    FINANCE,
    IBAN,
    LATER,
    OTHER,
    RULES,
    approve,
    approved,
    carry_out,
    earn,
    explained,
    has,
    pay_to,
    pay_to_bank,
    propose,
    report,
    said,
    unlock,
)
from tests.support.plain_sql import scalar
from tests.support.world import NOW


@pytest.fixture(autouse=True)
def clean_at_the_end(engine: Engine, book: PriceBook) -> Iterator[None]:
    yield
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def test_a_creator_earns_waits_is_proposed_approved_and_paid(engine: Engine) -> None:
    earn(engine, 2_000_000)  # ben receives 1,600,000 credits, $1.60
    pay_to(engine)
    assert propose(engine, now=LATER - timedelta(days=1)) == 1
    assert said(engine, 1) == [("ben", "all_waiting", 0, "nothing")]
    assert propose(engine) == 2
    assert said(engine, 2) == [("ben", "paid_out", 1_600_000, "proposed")]
    assert carry_out(engine).startswith("0 payouts set aside")  # nobody has approved it
    approve(engine, 2)
    assert said(engine, 2)[0][3] == "approved"
    assert carry_out(engine) == "1 payout set aside, 1 payout paid, 0 failed; 0 not covered any more or stopped."
    assert said(engine, 2) == [("ben", "paid_out", 1_600_000, "paid")]
    assert has(engine) == (0, 0, 1_600_000)
    assert carry_out(engine).startswith("0 payouts set aside, 0 payouts paid")
    with database.read(engine) as connection:
        assert payout_lists.sums_of_creator(connection, "ben") == payout_lists.CreatorSums(1_600_000, 0)
        (line, _) = payout_lists.cycles(connection, limit=5)
    assert (line.state, line.creators, line.payouts, line.total_credits, line.paid) == ("done", 1, 1, 1_600_000, 1)


def test_each_rule_says_no_in_its_turn(engine: Engine) -> None:
    for number, creator in enumerate(("a", "b", "c", "d")):
        earn(engine, 2_000_000 if creator != "c" else 1_000_000, creator=creator, key=f"u{number}")
    earn(engine, 2_000_000, creator="e", key="late", now=LATER)
    for creator in "abce":
        pay_to(engine, creator, f"acct_{creator}")
    database.write(engine, lambda one: destinations.pause(one, "b", "Fraud is suspected", now=NOW, actor=TESTER))
    propose(engine)
    assert [row[:2] for row in said(engine)] == [
        ("a", "paid_out"),
        ("b", "paused"),
        ("c", "below_threshold"),
        ("d", "no_destination"),
        ("e", "all_waiting"),
    ]


def test_credits_that_were_not_earned_are_never_paid_out(engine: Engine) -> None:
    earn(engine, 2_000_000)
    world.add(engine, "ben", 5_000_000, key="bought", now=NOW)
    pay_to(engine)
    propose(engine)
    approve(engine)
    carry_out(engine)
    assert has(engine) == (5_000_000, 0, 1_600_000)
    assert scalar(engine, "SELECT left_credits FROM lots WHERE user_id = 'ben' AND number = 0") == 0


def test_what_was_bought_is_spent_before_what_was_earned(engine: Engine) -> None:
    world.add(engine, "ben", 300_000, key="bought", now=NOW)
    earn(engine, 2_000_000)
    unlock(engine, "ben", "cara", 400_000, key="spend")  # 300,000 bought and 100,000 earned
    pay_to(engine)
    propose(engine)
    assert said(engine)[0] == ("ben", "paid_out", 1_500_000, "proposed")


def test_earnings_that_were_spent_after_the_proposal_are_not_paid(engine: Engine) -> None:
    approved(engine)
    unlock(engine, "ben", "cara", 1, key="spend", now=LATER)
    assert carry_out(engine).endswith("1 not covered any more or stopped.")
    assert said(engine)[0][3] == "not covered"
    assert has(engine) == (1_599_999, 0, 0)
    assert propose(engine) == 2  # the next cycle pays what is left
    assert ("ben", "paid_out", 1_590_000, "proposed") in said(engine, 2)


def test_a_payout_that_fails_comes_back_and_is_paid_the_next_time(engine: Engine) -> None:
    earn(engine, 2_000_000)
    pay_to(engine, address="acct_ben-closed")
    propose(engine)
    approve(engine)
    assert carry_out(engine) == "1 payout set aside, 0 payouts paid, 1 failed; 0 not covered any more or stopped."
    assert has(engine) == (1_600_000, 0, 0)
    with database.read(engine) as connection:
        (one,) = payout_lists.of_creator(connection, "ben")
    assert one.state == ("failed", "The account is closed.")
    pay_to(engine)
    propose(engine)
    approve(engine, 2)
    carry_out(engine)
    assert has(engine) == (0, 0, 1_600_000)


def test_one_that_failed_is_not_paid_afterwards(engine: Engine) -> None:
    earn(engine, 2_000_000)
    pay_to(engine, address="acct-closed")
    propose(engine)
    approve(engine)
    carry_out(engine)
    with pytest.raises(PayoutEnded):
        database.write(
            engine,
            lambda one: payout_news.answer(one, 1, reference="tr_1", failed_because="", now=LATER, actor=TESTER),
        )
    assert has(engine) == (1_600_000, 0, 0)


def test_what_is_on_the_way_cannot_be_spent_or_refunded(engine: Engine) -> None:
    approved(engine, pay_to_bank)
    carry_out(engine)
    entry_id = scalar(engine, "SELECT id FROM payout_moves")
    with pytest.raises(NotRefundable):
        world.refund(engine, int(str(entry_id)), key="r")
    assert has(engine) == (0, 1_600_000, 0)


def test_another_person_approves_and_an_older_cycle_cannot_be(engine: Engine, book: PriceBook) -> None:
    earn(engine, 2_000_000)
    pay_to(engine)
    first = propose(engine, actor=FINANCE)
    with pytest.raises(NeedsApproval):
        database.write(engine, lambda one: ledger_payouts.approve(one, first, now=LATER, actor=FINANCE))
    change = proposed_payouts.PayOut(first)
    number = database.write(
        engine, lambda one: proposals.propose(one, change, reason="March", actor=FINANCE, now=LATER)
    ).number
    second = propose(engine)
    with pytest.raises(CycleReplaced):
        approve(engine, first)
    closed = database.write(
        engine, lambda one: proposals.approve(one, number, book_at=lambda _: book, actor=OTHER, now=LATER)
    )
    assert closed.state is proposals.State.WITHDRAWN
    again = database.write(
        engine,
        lambda one: proposals.propose(one, proposed_payouts.PayOut(second), reason="March", actor=FINANCE, now=LATER),
    )
    assert again.effect == (
        "1,600,000 credits ($1.60) to 1 creator.",
        "1 payout to an account that was never paid before.",
    )
    done = database.write(
        engine, lambda one: proposals.approve(one, again.number, book_at=lambda _: book, actor=OTHER, now=LATER)
    )
    assert done.state is proposals.State.APPROVED
    with pytest.raises(PayoutsGoingOn):
        propose(engine)
    carry_out(engine)
    assert has(engine) == (0, 0, 1_600_000)


def test_a_pause_after_the_approval_ends_the_payout_and_keeps_nobody_else_waiting(engine: Engine) -> None:
    approved(engine)
    database.write(engine, lambda one: destinations.pause(one, "ben", "Ask first", now=LATER, actor=TESTER))
    carry_out(engine)
    assert has(engine) == (1_600_000, 0, 0)
    (line,) = explained(engine)
    assert line.state == ("stopped", "Payouts were paused: Ask first")
    database.write(engine, lambda one: destinations.pause(one, "ben", None, now=LATER, actor=TESTER))
    assert carry_out(engine).startswith("0 payouts set aside")  # what has ended does not begin again
    assert propose(engine) == 2
    approve(engine, 2)
    carry_out(engine)
    assert has(engine) == (0, 0, 1_600_000)


def test_another_account_after_the_proposal_ends_the_payout(engine: Engine) -> None:
    approved(engine)
    pay_to(engine, address="acct_new")
    carry_out(engine)
    assert has(engine) == (1_600_000, 0, 0)
    assert explained(engine)[0].state.reason.startswith("The account was changed")


def test_a_payout_that_ended_is_not_set_aside_by_somebody_who_read_it_before(engine: Engine) -> None:
    approved(engine)
    with database.read(engine) as connection:
        (due,) = paying.to_set_aside(connection, limit=9)
    spent = unlock(engine, "ben", "cara", 1, key="spend", now=LATER)
    carry_out(engine)
    world.refund(engine, spent, key="back")
    one = partial(paying.set_aside, due=due, zone=UTC_ZONE, now=LATER, actor=TESTER)
    assert database.write(engine, one) is False
    assert has(engine) == (1_600_000, 0, 0)


def test_only_the_gateway_says_what_became_of_its_payout_until_it_is_paid(engine: Engine) -> None:
    approved(engine)
    with database.read(engine) as connection:
        (due,) = paying.to_set_aside(connection, limit=9)
    database.write(engine, partial(paying.set_aside, due=due, zone=UTC_ZONE, now=LATER, actor=TESTER))
    for news, reason in ((PayoutNews.FAILED, "It never came"), (PayoutNews.PAID, "")):
        with pytest.raises(PayoutAtGateway):
            report(engine, news, reason=reason)
    carry_out(engine)
    report(engine, PayoutNews.FAILED, reason="The account sent it back")
    assert has(engine) == (1_600_000, 0, 0)


def test_a_cycle_of_the_command_line_is_approved_by_a_person_and_a_persons_own_is_not(engine: Engine) -> None:
    earn(engine, 2_000_000)
    pay_to(engine)
    propose(engine)
    database.write(engine, lambda one: ledger_payouts.approve(one, 1, now=LATER, actor=FINANCE))
    assert scalar(engine, "SELECT actor FROM payout_approvals") == FINANCE.recorded


def test_an_account_that_was_paid_before_is_no_news(engine: Engine) -> None:
    for month, number in ((0, 1), (1, 2), (2, 3)):
        at = NOW + timedelta(days=30 * month)
        earn(engine, 2_000_000, key=f"month-{month}", now=at)
        if month != 1:
            pay_to(engine, address=f"acct_{month}")
        propose(engine, now=at + timedelta(days=7))
        assert [one.is_first_time for one in explained(engine, number)] == [month != 1]
        approve(engine, number)
        carry_out(engine, at + timedelta(days=7))


def test_a_reserve_is_held_back_and_paid_with_what_is_earned_later(engine: Engine) -> None:
    rules = RULES.model_copy(update={"reserve_bps": 1_000, "threshold_credits": 1_500_000})
    earn(engine, 2_000_000)  # 1,600,000, of which 160,000 are held back: too little is left
    pay_to(engine)
    propose(engine, rules=rules)
    (line,) = explained(engine)
    assert (line.verdict.value, line.standing.reserved_credits, line.amount_credits) == ("reserved", 160_000, 0)
    assert payout_words.sentence(line).startswith("In reserve: 160,000 credits ($0.16) are held back in reserve.")
    earn(engine, 1_000_000, key="more")
    propose(engine, rules=rules)
    approve(engine, 2)
    carry_out(engine)
    assert has(engine) == (240_000, 0, 2_160_000)
    database.write(engine, lambda one: destinations.pause(one, "ben", None, now=LATER, actor=TESTER))
    propose(engine)
    assert said(engine, 3) == [("ben", "below_threshold", 0, "nothing")]  # 240,000, and nothing is held back


def test_bad_input_is_refused_and_nothing_is_kept(engine: Engine) -> None:
    earn(engine, 2_000_000)
    viewer = person("vera@example.org", frozenset({PersonRole.VIEWER}))
    nothing = Draft(RULES, LATER.date(), ())
    for kind, address, holder in (
        (DestinationKind.BANK, "DE89370400440532013001", "Ben"),  # a wrong check digit
        (DestinationKind.BANK, IBAN, None),
        (DestinationKind.GATEWAY, "", None),
        (DestinationKind.GATEWAY, "acct_1", "Ben"),
    ):
        with pytest.raises(InvalidRequest):
            database.write(
                engine,
                lambda one, kind=kind, address=address, holder=holder: destinations.set_destination(
                    one, "ben", kind, address, holder=holder, now=NOW, actor=TESTER
                ),
            )
    with pytest.raises(NotAllowed):
        database.write(engine, lambda one: payouts.propose(one, nothing, now=LATER, actor=viewer))
    with pytest.raises(UnknownCycle):
        approve(engine, 9)
    with pytest.raises(UnknownPayout):
        report(engine, PayoutNews.PAID, 9)
    propose(engine)
    with pytest.raises(UnknownPayout):
        report(engine, PayoutNews.PAID)  # no destination, so it pays nothing
    assert scalar(engine, "SELECT count(*) FROM payout_terms") == 0
    assert scalar(engine, "SELECT count(*) FROM payout_reports") == 0


def test_twelve_months_add_up_for_each_creator(engine: Engine) -> None:
    """Against a plain program: what was earned is what was paid, what is left, and what was spent."""
    plain: dict[str, dict[str, int]] = {name: {"earned": 0, "spent": 0, "paid": 0} for name in ("a", "b", "c")}
    for month in range(12):
        at = datetime(2026, 1 + month, 3, 12, tzinfo=NOW.tzinfo)
        for place, name in enumerate(plain):
            fee = 400_000 * (place + 1) * (month + 1)
            earn(engine, fee, creator=name, key=f"{month}-{name}", now=at)
            plain[name]["earned"] += fee * 8 // 10
        if month == 0:
            for name in plain:
                pay_to(engine, name, f"acct_{name}{'-closed' if name == 'c' else ''}")
        if month == 6:
            pay_to(engine, "c", "acct_c")
        spent = 100_000 * (month % 3)
        if spent:
            unlock(engine, "b", "shop", spent, key=f"spend-{month}", now=at)
            plain["b"]["spent"] += spent
        cycle = propose(engine, now=at + timedelta(days=20))
        approve(engine, cycle)
        carry_out(engine, at + timedelta(days=20))
        for name, of in plain.items():
            left = of["earned"] - of["spent"] - of["paid"]
            payable = left // 10_000 * 10_000
            if payable >= 1_000_000 and not (name == "c" and month < 6):
                of["paid"] += payable
            assert has(engine, name)[0] == of["earned"] - of["spent"] - of["paid"], (month, name)
    assert all(of["paid"] > 0 for of in plain.values())
    assert has(engine, "a")[2] == sum(of["paid"] for of in plain.values())


def test_a_user_gets_earnings_only_from_the_source_of_earnings(engine: Engine) -> None:
    world.add(engine, "ada", 5_000_000, key="a", now=NOW, source=CreditSource.GRANT, reason="For a test")
    pay_to(engine, "ada")
    propose(engine)
    assert said(engine) == []
