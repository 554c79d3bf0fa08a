from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.ledger import accounts
from credits_core.ledger import entries as ledger_entries
from credits_core.ledger.accounts import BalancePoint, ListedTransaction, TransactionFilter
from credits_core.ledger.refusals import UnknownEntry, UnknownUser
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import CreditSource, TransactionType
from credits_core.values.days import DayRange
from credits_core.values.time_zones import UTC_ZONE, TimeZone, zone_named
from tests.support import busy_ledger, world
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW, UNLOCK

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MANY = 2_000
"""More pages and rows than there are: turning pages that do not end must fail, not hang."""


@dataclass(frozen=True)
class Row:
    """A stored transaction, read by plain SQL, with the moment and the UTC day that its number of microseconds is."""

    entry_id: int
    position: int
    account_id: str
    type: str
    amount_credits: int
    balance_after_credits: int | None
    created_at_us: int
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", EPOCH + timedelta(microseconds=self.created_at_us))


def _stored(engine: Engine) -> list[Row]:
    """Every transaction, newest first in the ledger's order."""
    found = rows(
        engine,
        "SELECT entry_id, position, account_id, type, amount_credits, balance_after_credits, created_at_us"
        " FROM credit_transactions",
    )
    return sorted((Row(*row) for row in found), key=lambda row: (-row.entry_id, -row.position))  # type: ignore[arg-type]


def _passes(row: Row, wanted: TransactionFilter) -> bool:
    return (
        (wanted.entry_id is None or row.entry_id == wanted.entry_id)
        and (wanted.account_id is None or row.account_id == wanted.account_id)
        and (not wanted.types or row.type in {type_.value for type_ in wanted.types})
        and (wanted.days.first is None or row.at.date() >= wanted.days.first)
        and (wanted.days.last is None or row.at.date() <= wanted.days.last)
        and (not wanted.headline_only or row.position == 0)
    )


def _as_row(listed: ListedTransaction) -> tuple[object, ...]:
    return (
        listed.entry_id,
        listed.position,
        listed.account_id,
        listed.type.value,
        listed.amount_credits,
        listed.balance_after_credits,
        listed.created_at,
    )


def _paged(engine: Engine, wanted: TransactionFilter, size: int) -> list[ListedTransaction]:
    """Everything a reader sees who turns the pages until one is not full."""
    seen: list[ListedTransaction] = []
    before = None
    with database.read(engine) as connection:
        for _ in range(MANY):
            page = accounts.transactions(connection, wanted, before=before, limit=size)
            assert before is None or not page or page[0].cursor < before
            seen += page
            if len(page) < size:
                return seen
            before = page[-1].cursor
    raise AssertionError("the pages do not end")


def _listed(engine: Engine, wanted: TransactionFilter) -> list[ListedTransaction]:
    with database.read(engine) as connection:
        return accounts.transactions(connection, wanted, limit=1_000)


DAYS = st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 7))
FILTERS = st.builds(
    TransactionFilter,
    entry_id=st.none() | st.none() | st.integers(1, 160),
    account_id=st.sampled_from([None, None, "ada", "Ben", "c_d", "c/d", "platform:revenue", "nobody"]),
    types=st.lists(st.sampled_from(TransactionType), max_size=3, unique=True),
    days=st.builds(DayRange, DAYS, DAYS),
    headline_only=st.booleans(),
)


def test_turning_the_pages_of_any_filter_shows_each_transaction_once_in_the_ledgers_order(engine: Engine) -> None:
    busy_ledger.drawn_days(engine, seed=7)
    stored = _stored(engine)
    assert len({row.at.date() for row in stored}) == 6  # five times 24 hours from a morning
    assert [row.at for row in stored] != sorted((row.at for row in stored), reverse=True)

    @given(wanted=FILTERS, size=st.integers(1, 60))
    def law(wanted: TransactionFilter, size: int) -> None:
        expected = [
            (
                row.entry_id,
                row.position,
                row.account_id,
                row.type,
                row.amount_credits,
                row.balance_after_credits,
                row.at,
            )
            for row in stored
            if _passes(row, wanted)
        ]
        assert [_as_row(listed) for listed in _paged(engine, wanted, size)] == expected
        with database.read(engine) as connection:
            listed = islice(accounts.all_transactions(connection, wanted), MANY)
            assert [_as_row(one) for one in listed] == expected

    law()


def test_all_transactions_go_on_inside_an_entry_after_the_first_thousand(engine: Engine) -> None:
    for number in range(500):
        world.add(engine, "ada", 1, key=f"fund-{number}")
    world.charge(engine, HAIKU, key="run")  # three transactions, so that the thousandth is an entry's second to last
    with database.read(engine) as connection:
        listed = islice(accounts.all_transactions(connection, TransactionFilter()), MANY)
        keys = [one.cursor for one in listed]
    assert len(keys) == 1_003
    assert keys == sorted(set(keys), reverse=True)


def test_what_is_posted_while_someone_turns_the_pages_moves_nothing(engine: Engine) -> None:
    ids = [world.add(engine, "ada", 10, key=f"fund-{number}").entry_id for number in range(4)]
    own = TransactionFilter(account_id="ada")
    with database.read(engine) as connection:
        first = accounts.transactions(connection, own, limit=2)
    world.add(engine, "ada", 10, key="in-between")
    with database.read(engine) as connection:
        second = accounts.transactions(connection, own, before=first[-1].cursor, limit=2)
    assert [listed.entry_id for listed in first + second] == ids[::-1]


def test_a_page_may_end_inside_an_entry(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run")
    with database.read(engine) as connection:
        listed = accounts.transactions(connection, TransactionFilter(), before=(run.entry_id, 2), limit=3)
    assert [(one.account_id, one.type.value) for one in listed] == [
        ("ben", "creator_payment"),
        ("ada", "prompt_run"),
        ("platform:payments_in", "credit_purchase"),
    ]


def test_days_are_both_inclusive_and_in_utc_unless_another_time_zone_is_named(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)

    def entries(first: date | None, last: date | None, zone: TimeZone = UTC_ZONE) -> set[int]:
        wanted = TransactionFilter(days=DayRange(first, last, zone))
        return {listed.entry_id for listed in _listed(engine, wanted)}

    first_day = {ids["purchase"], ids["grant"], ids["run"], ids["run with fee"]}
    second_day = {ids["run at midnight"], ids["unlock"], ids["run by ben"], ids["run by cara"]}
    assert entries(date(2026, 3, 1), date(2026, 3, 1)) == first_day
    assert entries(date(2026, 3, 2), date(2026, 3, 2)) == second_day
    assert entries(None, date(2026, 3, 2)) == first_day | second_day
    assert entries(date(2026, 3, 2), None) == set(ids.values()) - first_day
    assert entries(date(2026, 3, 2), date(2026, 3, 1)) == set()
    # Midnight in UTC is 5:45 in Kathmandu, and the evening before in New York.
    kathmandu, new_york = zone_named("Asia/Kathmandu"), zone_named("America/New_York")
    assert entries(date(2026, 3, 1), date(2026, 3, 1), kathmandu) == {ids["purchase"], ids["grant"]}
    assert entries(date(2026, 3, 2), None, kathmandu) == set(ids.values()) - {ids["purchase"], ids["grant"]}
    assert entries(date(2026, 3, 1), date(2026, 3, 1), new_york) == first_day | second_day


def test_each_entry_says_in_words_what_it_was_about(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)
    adjusted = world.add(engine, "ada", 7, key="goodwill", source=CreditSource.ADJUSTMENT, reason="Goodwill")
    ids["adjustment"] = adjusted.entry_id
    listed = {one.entry_id: one for one in _listed(engine, TransactionFilter(headline_only=True))}

    assert {name: listed[id_].description for name, id_ in ids.items()} == {
        "purchase": "Credit purchase",
        "grant": "Welcome",
        "adjustment": "Goodwill",
        "run": "Run of summarise on claude-3-haiku",
        "run with fee": "Run of summarise on claude-3-haiku",
        "run at midnight": "Run of summarise on claude-3-haiku",
        "run by ben": "Run of translate on claude-3-haiku",
        "run by cara": "Run of summarise on claude-3-haiku",
        "unlock": "Unlock of report-flow",
        "refund of run with fee": f"Refund of entry {ids['run with fee']}: The answer was empty",
        "refund of unlock": f"Refund of entry {ids['unlock']}: The answer was empty",
        "refund of grant": f"Refund of entry {ids['grant']}: The answer was empty",
        "refund of run by ben": f"Refund of entry {ids['run by ben']}: The answer was empty",
    }
    assert {one.actor for one in listed.values()} == {"tester"}


def test_the_headline_of_an_entry_is_the_movement_of_who_paid_or_received(engine: Engine) -> None:
    busy_ledger.three_days(engine)
    headlines = _listed(engine, TransactionFilter(headline_only=True))[::-1]
    assert [(one.account_id, one.entry_type.value, one.amount_credits) for one in headlines] == [
        ("ada", "credit_purchase", 1_000_000),
        ("dev", "grant", 5_000),
        ("ada", "prompt_run", -300),
        ("ada", "prompt_run", -1_251),
        ("ada", "prompt_run", -1_251),
        ("ada", "flow_unlock", -1_001),
        ("ben", "prompt_run", -2_400),
        ("cara", "prompt_run", -300),
        ("ada", "refund", 1_251),
        ("ada", "refund", 1_001),
        ("dev", "refund", -5_000),
        ("ben", "refund", 2_400),
    ]


# --- users ----------------------------------------------------------------------------------------------------------

USER_IDS = ["a-b", "a.b", "a/b", "a_b", "aXb", "axb", "Ada", "ada", "ada@x.org", "b", "z9"]


@pytest.fixture
def with_users(engine: Engine) -> Engine:
    for number, user_id in enumerate(USER_IDS, 1):
        world.add(engine, user_id, number, key=f"fund-{number}", distinct=True)
    return engine


def _pages_of_users(engine: Engine, search: str, size: int) -> list[accounts.UserBalance]:
    seen: list[accounts.UserBalance] = []
    with database.read(engine) as connection:
        for _ in range(MANY):
            last = seen[-1].user_id if seen else ""
            page = accounts.users(connection, search=search, after_user_id=last, limit=size)
            if not page:
                return seen
            assert last not in [user.user_id for user in page]
            seen += page
    raise AssertionError("the pages do not end")


def test_turning_the_pages_of_any_search_shows_each_user_once(with_users: Engine) -> None:
    in_order = [str(row[0]) for row in rows(with_users, "SELECT user_id FROM user_credits ORDER BY user_id")]
    texts = st.sampled_from(["", "a", "A", "x", "_", "%", "/", "//", "\\", "a_b", "a%b", "AXB", "@", ".", "'", "ada"])

    @given(search=texts | st.text(alphabet="aAbBxX_%/.-\\'", max_size=3), size=st.integers(1, 12))
    def law(search: str, size: int) -> None:
        expected = [user_id for user_id in in_order if search.lower() in user_id.lower()]
        assert [user.user_id for user in _pages_of_users(with_users, search, size)] == expected
        with database.read(with_users) as connection:
            assert accounts.user_count(connection, search=search) == len(expected)

    law()


@pytest.mark.parametrize(
    ("search", "found"),
    [("a_b", {"a_b"}), ("%", set()), ("a%b", set()), ("a/b", {"a/b"}), ("AXB", {"aXb", "axb"}), ("_", {"a_b"})],
)
def test_a_search_takes_wildcards_as_plain_characters(with_users: Engine, search: str, found: set[str]) -> None:
    assert {user.user_id for user in _pages_of_users(with_users, search, 50)} == found


def test_a_user_is_shown_with_balance_and_time_of_joining(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="fund", now=NOW)
    world.charge(engine, HAIKU, key="run", now=world.LATER)
    with database.read(engine) as connection:
        assert accounts.user(connection, "ada") == accounts.UserBalance("ada", 700, NOW)
        assert accounts.users(connection) == [accounts.UserBalance("ada", 700, NOW)]
        with pytest.raises(UnknownUser):
            accounts.user(connection, "Ada")


# --- balance over time ----------------------------------------------------------------------------------------------


def _history(engine: Engine, user_id: str, points: int) -> list[BalancePoint]:
    with database.read(engine) as connection:
        return accounts.balance_history(connection, user_id, points=points)


def test_a_short_history_shows_every_movement(engine: Engine) -> None:
    fund = world.add(engine, "ada", 10_000, key="fund", now=world.LATER)
    own = world.charge(
        engine, world.ChargeRequest("ada", "own", "claude-3-haiku", "ada", 1_000), key="own", now=NOW
    )  # pays 1,250 and is paid 800
    assert _history(engine, "ada", 3) == [
        BalancePoint(fund.entry_id, world.LATER, 10_000),
        BalancePoint(own.entry_id, NOW, 8_750),
        BalancePoint(own.entry_id, NOW, 9_550),
    ]
    assert _history(engine, "nobody", 3) == []


def test_a_busy_hour_leaves_the_days_before_it_as_they_were(engine: Engine) -> None:
    days = [NOW + timedelta(days=day) for day in range(10)]
    for day, moment in enumerate(days):
        world.add(engine, "ada", 100_000, key=f"day-{day}", now=moment)
    for number in range(150):
        world.charge(engine, world.HAIKU, key=f"run-{number}", now=days[-1] + timedelta(seconds=number))
    shown = [(point.created_at, point.balance_credits) for point in _history(engine, "ada", 20)]
    assert [one for one in shown if one[0] in days] == [
        (moment, 100_000 * (day + 1)) for day, moment in enumerate(days[:-1])
    ] + [one for one in shown if one[0] == days[-1]]
    assert shown[-1] == (days[-1] + timedelta(seconds=149), 1_000_000 - 150 * 300)


def test_a_long_history_is_thinned_evenly_and_keeps_its_ends(engine: Engine) -> None:
    balances = []
    for number in range(60):
        world.add(engine, "ada", number + 1, key=f"fund-{number}", now=NOW + timedelta(minutes=number))
        world.add(engine, "ben", 5, key=f"ben-{number}")
        balances.append((number + 1) * (number + 2) // 2)

    @given(points=st.integers(1, 70))
    def law(points: int) -> None:
        shown = [point.balance_credits for point in _history(engine, "ada", points)]
        step = next(step for step in range(1, 61) if len(balances[::step]) <= points)
        # 59 minutes in as many spans of whole microseconds; the last minute of each span stays.
        span_us = 59 * 60_000_000 // points + 1
        last_of_span = {minute * 60_000_000 // span_us: minute for minute in range(60)}
        kept = sorted({*range(0, 60, step), *last_of_span.values()})
        assert shown == [balances[minute] for minute in kept]
        assert len(shown) <= 2 * points

    law()
    assert len(_history(engine, "ada", 60)) == 60


# --- one entry ------------------------------------------------------------------------------------------------------


def test_a_receipt_read_back_is_the_receipt_that_was_returned(engine: Engine, book: PriceBook) -> None:
    returned = [
        world.add(engine, "ada", 50_000, key="fund", reason="Spring offer"),
        world.charge(engine, HAIKU_WITH_FEE, key="run"),
        world.charge(
            engine,
            world.ChargeRequest("ada", "long", "openai/gpt-4o", input_tokens=1_020, output_tokens=129),
            key="tokens",
        ),
    ]
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    returned += [unlocked, world.refund(engine, returned[1].entry_id, key="refund")]
    with database.read(engine) as connection:
        read_back = [ledger_entries.receipt(connection, receipt.entry_id, plans=book.plans) for receipt in returned]
        returned[1] = replace(returned[1], refunded_by_entry_id=returned[-1].entry_id, refunded_credits=1_251)
        assert read_back == returned
        assert ledger_entries.receipt(connection, returned[1].entry_id, plans={}).quote is None
        with pytest.raises(UnknownEntry):
            ledger_entries.receipt(connection, 999_999, plans=book.plans)


def test_an_entry_is_found_by_its_key_its_refund_and_its_unlock(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)

    def ask(query: Callable[..., object], *arguments: object, **options: object) -> object:
        with database.read(engine) as connection:
            return query(connection, *arguments, **options)

    found = ask(ledger_entries.entry_by_key, "unlock")
    assert isinstance(found, tuple)
    assert found[0] == ids["unlock"]
    assert ask(ledger_entries.entry_by_key, "UNLOCK") is None
    assert ask(ledger_entries.refund_of, ids["unlock"]) == ids["refund of unlock"]
    assert ask(ledger_entries.refund_of, ids["run"]) is None
    assert ask(ledger_entries.unlock_in_force, "ada", flow_id="report-flow") is None
    again = world.unlock(engine, UNLOCK, key="unlock-again").receipt
    assert again is not None
    assert ask(ledger_entries.unlock_in_force, "ada", flow_id="report-flow") == again.entry_id
    assert ask(ledger_entries.unlock_in_force, "ben", flow_id="report-flow") is None
