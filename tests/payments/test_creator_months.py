"""Monthly statements of creators: every line, and that they add up, against the movements themselves."""

import io
from datetime import date, datetime

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine

from credits_core.errors import InvalidRequest
from credits_core.ledger.refusals import UnknownUser
from credits_core.payments import creator_months, month_file
from credits_core.payments.creator_months import CreatorMonth
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.kinds import Part, PayoutNews
from credits_core.values.time_zones import UTC_ZONE
from tests.support import world
from tests.support.paying_out import (
    IBAN,
    LATER,
    approve,
    carry_out,
    earn,
    hand_over,
    pay_to,
    pay_to_bank,
    propose,
    report,
    unlock,
)
from tests.support.plain_sql import scalar
from tests.support.world import NOW

TODAY = date(2026, 12, 24)


def statement(engine: Engine, month: str, creator: str = "ben") -> CreatorMonth:
    with database.read(engine) as connection:
        return creator_months.statement(connection, creator, creator_months.month(month, UTC_ZONE), today=TODAY)


def day(month: int, number: int = 3) -> datetime:
    return datetime(2026, month, number, 12, tzinfo=NOW.tzinfo)


def has_in_all(engine: Engine, until: datetime) -> object:
    """The creator's credits in whichever part, without what is owed, from the movements."""
    sql = (
        "SELECT coalesce(sum(amount_credits), 0) FROM credit_transactions"
        " WHERE (account_id = 'ben' OR account_id LIKE 'ben:%') AND account_id NOT LIKE '%debt'"
        " AND created_at_us < :until"
    )
    return scalar(engine, sql, until=int(until.timestamp()) * 1_000_000)


def test_every_line_of_a_month_and_what_is_left(engine: Engine) -> None:
    earn(engine, 2_000_000, now=day(1), key="january")  # 1,600,000
    pay_to_bank(engine)
    propose(engine, now=day(1, 20))
    approve(engine)
    carry_out(engine, day(1, 20))
    hand_over(engine)
    january = statement(engine, "2026-01")
    assert (january.opening_credits, january.unlocks_credits, january.closing_credits) == (0, 1_600_000, 1_600_000)
    assert january.parts == {Part.IN_PAYOUT: 1_600_000}  # it is on the way, and still ben's
    entry_id = earn(engine, 1_000_000, now=day(2), key="february")  # 800,000
    world.add(engine, "ben", 50_000, key="bought", now=day(2))
    unlock(engine, "ben", "cara", 70_000, key="own", now=day(2))
    world.refund(engine, entry_id, key="back", now=day(2, 5))
    found = statement(engine, "2026-02")
    assert (found.unlocks_credits, found.refunds_credits) == (800_000, -800_000)
    assert found.became_owed_credits == found.owed_after_credits == 20_000  # of the share were spent
    assert (found.spent_credits, found.other_credits, found.paid_out_credits) == (-70_000, 50_000, 0)
    assert found.closing_credits == has_in_all(engine, day(3, 1)) == 1_600_000
    lines = month_file.lines(found)
    assert sum(line.credits for line in lines[:-1]) == lines[-1].credits
    earn(engine, 20_000, now=day(3), key="march")  # 16,000 pay what is owed
    march = statement(engine, "2026-03")
    assert month_file.debt(march) == [
        ("Owed at the beginning", 20_000),
        ("Became owed", 0),
        ("Paid of it", -16_000),
        ("Owed at the end", 4_000),
    ]
    assert (march.unlocks_credits, march.debt_paid_credits, march.closing_credits) == (16_000, -16_000, 1_600_000)
    assert ("Debt paid", -16_000) in month_file.lines(march)
    printed = PdfReader(io.BytesIO(month_file.pdf(march, seal="-", made_at=NOW))).pages[0].extract_text()
    assert "Owed to PromptFlow" in printed
    assert month_file.debt(january) == []


def test_months_follow_each_other_and_say_what_was_paid(engine: Engine) -> None:
    for month in range(1, 7):
        earn(engine, 2_000_000, now=day(month, 1), key=f"m{month}")  # on the first day of its month
        pay_to(engine)
        cycle = propose(engine, now=day(month, 20))
        approve(engine, cycle)
        carry_out(engine, day(month, 20))
        if month == 3:
            daily_totals.catch_up(engine)  # from here on the daily tables have the months before
    before = 0
    for month in range(1, 7):
        found = statement(engine, f"2026-{month:02}")
        lines = month_file.lines(found)
        assert found.opening_credits == before
        assert sum(line.credits for line in lines[:-1]) == lines[-1].credits
        assert found.closing_credits == has_in_all(engine, day(month + 1, 1))
        assert [(one.amount_credits, one.to, one.news) for one in found.payouts] == [
            (1_600_000, "acct_ben", PayoutNews.PAID)
        ]
        before = found.closing_credits


def test_a_payout_that_came_back_is_in_the_month_in_which_it_was_told(engine: Engine) -> None:
    earn(engine, 2_000_000, now=day(1))
    pay_to_bank(engine)
    propose(engine, now=day(1, 20))
    approve(engine)
    carry_out(engine, day(1, 20))
    hand_over(engine)
    report(engine, PayoutNews.PAID, reference="SEPA-1€")
    report(engine, PayoutNews.FAILED, reason="Closed")
    found = statement(engine, f"{LATER:%Y-%m}")
    assert [one.news for one in found.payouts] == [PayoutNews.PAID, PayoutNews.FAILED]
    assert found.paid_out_credits == 0
    assert f"to {IBAN[:4]}" in month_file.payouts(found)[0].label
    paper = PdfReader(io.BytesIO(month_file.pdf(found, seal="Nothing is sealed yet.", made_at=NOW)))
    printed = paper.pages[0].extract_text()
    for said in ("Statement of ben", "Closing balance", "1,600,000", "SEPA-1?", "Nothing is sealed yet."):
        assert said in printed


@pytest.mark.parametrize("text", ["2026-13", "2026-3", "march", "", "2026-03-01", "1999-01", "2026-03\n"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="such as 2026-03"):
        creator_months.month(text, UTC_ZONE)


def test_nobody_has_a_statement_without_an_account(engine: Engine) -> None:
    with pytest.raises(UnknownUser):
        statement(engine, "2026-01", "nobody")


def test_a_month_that_is_not_over_says_so_and_ends_today(engine: Engine) -> None:
    earn(engine, 1_000_000, now=day(5, 10))
    earn(engine, 1_000_000, now=day(5, 20), key="later")
    with database.read(engine) as connection:
        month = creator_months.month("2026-05", UTC_ZONE)
        found = creator_months.statement(connection, "ben", month, today=date(2026, 5, 12))
    assert (found.is_over, found.closing_credits, month_file.lines(found)[-1].label) == (False, 800_000, "Balance now")
    assert month_file.period(found) == "2026-05-01 to 2026-05-12, not over yet"
