"""History rewritten so that all of it adds up: nothing but the seals can tell, and of a chain made anew only a head."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import Engine, text

from credits_core.audit import heads, seals
from credits_core.audit.heads import Head
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import damage, world
from tests.support.damage import MUCH_LATER, Ledger
from tests.support.world import HAIKU

pytestmark = pytest.mark.as_owner


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One sealed ledger for all the rewriting, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("rewriting"), book, is_sealed=True) as ledger:
        yield ledger


def _hash(*request: object) -> str:
    """The hash of a request as an entry keeps it."""
    return sha256(ascii(request).encode("ascii")).hexdigest()


def _entry(name: str, change: str) -> str:
    return f"UPDATE journal_entries SET {change} WHERE id = <{name}>"


def _asked(name: str, *request: object) -> str:
    return _entry(name, f"request_hash = '{_hash(*request)}'")


def _moved(user: str, after: str, by: int) -> list[str]:
    """The user's balance, and those after an entry, moved by so many credits."""
    return [
        f"UPDATE user_credits SET balance_credits = balance_credits + {by} WHERE user_id = '{user}'",
        f"UPDATE credit_transactions SET balance_after_credits = balance_after_credits + {by}"
        f" WHERE account_id = '{user}' AND entry_id >= <{after}>",
    ]


def _set(name: str, position: int, change: str) -> str:
    return damage.set_transaction(name, position, change)


_DAY_US = timedelta(days=1) // timedelta(microseconds=1)
_LATE_RUN = ("prompt_run", "fay", "p", "claude-3-haiku", None, 0, None, None, None)
_REMOVED = [
    "DELETE FROM credit_transactions WHERE entry_id = <late purchase>",
    "DELETE FROM journal_entries WHERE id = <late purchase>",
    "UPDATE user_credits SET balance_credits = balance_credits - 500 WHERE user_id = 'ada'",
]
# What was done, and what the seals say of it.
REWRITTEN: dict[str, tuple[list[str], str]] = {
    "the last entry is removed whole": (_REMOVED, "1 entry is missing of what seal"),
    "a purchase is enlarged, with its hash": (
        [
            _set("late purchase", 0, "amount_credits = 600"),
            _set("late purchase", 1, "amount_credits = -600"),
            *_moved("ada", "late purchase", 100),
            _asked("late purchase", "credit_purchase", "ada", 600, "purchase", ""),
        ],
        "entry <late purchase> is not what seal",
    ),
    "a purchase becomes a grant, with its hash": (
        [
            _entry("late purchase", "type = 'grant', description = 'Welcome'"),
            "UPDATE credit_transactions SET type = 'grant' WHERE entry_id = <late purchase>",
            _set("late purchase", 1, "account_id = 'platform:grants'"),
            _asked("late purchase", "grant", "ada", 500, "grant", "Welcome"),
        ],
        "entry <late purchase> is not what seal",
    ),
    "a grant is forged in the place of the last entry, which moves on": (
        [
            "INSERT INTO journal_entries (id, type, idempotency_key, request_hash, actor, created_at_us)"
            " SELECT id + 1, type, 'moved-on', request_hash, actor, created_at_us FROM journal_entries"
            " WHERE id = <late purchase>",
            "UPDATE credit_transactions SET entry_id = entry_id + 1 WHERE entry_id = <late purchase>",
            _entry("late purchase", "type = 'grant', description = 'Bonus'"),
            _asked("late purchase", "grant", "fay", 70, "grant", "Bonus"),
            "INSERT INTO credit_transactions"
            " SELECT <late purchase>, 0, 'fay', 'grant', 70, balance_credits + 70, <time of late purchase>"
            " FROM user_credits WHERE user_id = 'fay'",
            "INSERT INTO credit_transactions VALUES (<late purchase>, 1, 'platform:grants', 'grant', -70, NULL,"
            " <time of late purchase>)",
            "UPDATE user_credits SET balance_credits = balance_credits + 70 WHERE user_id = 'fay'",
        ],
        "entry <late purchase> is not what seal",
    ),
    "somebody else is said to have done it": (
        [_entry("late grant", "actor = 'api/shop'")],
        "entry <late grant> is not",
    ),
    "an idempotency key is another one": (
        [_entry("late run", "idempotency_key = 'another'")],
        "entry <late run> is not what seal",
    ),
    "an entry is moved to another day": (
        [
            f"UPDATE {table} SET created_at_us = created_at_us - {_DAY_US} WHERE {key} = <late grant>"
            for table, key in (("journal_entries", "id"), ("credit_transactions", "entry_id"))
        ],
        "entry <late grant> is not what seal",
    ),
    "a grant has another reason, with its hash": (
        [_entry("late grant", "description = 'Thanks'"), _asked("late grant", "grant", "fay", 900, "grant", "Thanks")],
        "entry <late grant> is not what seal",
    ),
    "a run is of another prompt, with its hash": (
        [
            "UPDATE prompt_runs SET prompt_id = 'x' WHERE entry_id = <token run>",
            _asked("token run", "prompt_run", "ada", "x", "openai/gpt-4o", None, 0, 1_020, 129, None),
        ],
        "entry <token run> is not what seal",
    ),
    "a run is made cheaper, with its hash": (  # 1,020 × 2.5 + 128 × 10 = 3,830, and 20 % of it are 766
        [
            "UPDATE prompt_runs SET output_tokens = 128, inference_cost_credits = 3830, platform_markup_credits = 766,"
            " total_credits = 4596 WHERE entry_id = <token run>",
            _set("token run", 0, "amount_credits = -4596"),
            "UPDATE credit_transactions SET amount_credits = 3830 WHERE entry_id = <token run>"
            " AND type = 'inference_cost'",
            "UPDATE credit_transactions SET amount_credits = 766 WHERE entry_id = <token run>"
            " AND type = 'platform_revenue'",
            *_moved("ada", "token run", 12),
            _asked("token run", "prompt_run", "ada", "long", "openai/gpt-4o", None, 0, 1_020, 128, None),
        ],
        "entry <token run> is not what seal",
    ),
    "an unlock is of another flow, with its hash": (
        [
            "UPDATE unlocked_flows SET flow_id = 'x' WHERE entry_id = <late unlock>",
            _asked("late unlock", "flow_unlock", "ada", "x", "eve", 2_000),
        ],
        "entry <late unlock> is not what seal",
    ),
    "an account is said to be older": (
        [f"UPDATE user_credits SET created_at_us = created_at_us - {_DAY_US} WHERE user_id = 'fay'"],
        "entry <late grant> is not what seal",
    ),
    "a record of a change names somebody else": (
        ["UPDATE activity SET actor = 'dashboard/ben' WHERE id = 2"],
        "activity 2 is not what seal",
    ),
    "an audit is said to have found nothing": (
        ["UPDATE audit_runs SET invariants = 20 WHERE id = 1"],
        "audit_runs 1 is not what seal",
    ),
    "the newest audit is removed": (
        ["DELETE FROM audit_runs WHERE id = 2"],
        "1 record is missing of what seal",
    ),
    "a proposal has another reason": (
        ["UPDATE proposals SET reason = 'Thanks' WHERE id = 1"],
        "proposals 1 is not what seal",
    ),
}


@pytest.mark.parametrize("done", REWRITTEN)
def test_history_that_was_rewritten_consistently_is_told_by_the_seals_alone(ledger: Ledger, done: str) -> None:
    statements, said = REWRITTEN[done]
    at = world_time(ledger.engine, ledger.ids["late purchase"])
    found = ledger.after(*(statement.replace("<time of late purchase>", str(at)) for statement in statements))
    assert list(found) == ["seals_hold"]
    assert ledger.sql(said) in str(found["seals_hold"])


def world_time(engine: Engine, entry_id: int) -> int:
    """When the entry was made, in microseconds."""
    with database.read(engine) as connection:
        found = connection.execute(
            text(f"SELECT created_at_us FROM journal_entries WHERE id = {entry_id}")
        ).scalar_one()
    return int(found)


TAMPERED: dict[str, tuple[list[str], str]] = {
    "a seal in the middle is missing": (["DELETE FROM seals WHERE number = 2"], "seal 2 is missing"),
    "several seals are missing": (["DELETE FROM seals WHERE number IN (2, 3)"], "seals 2 to 3 are missing"),
    "the first seal is missing": (["DELETE FROM seals WHERE number = 1"], "seal 1 is missing"),
    "two seals are swapped": (
        [
            "UPDATE seals SET number = 99 WHERE number = 2",
            "UPDATE seals SET number = 2 WHERE number = 3",
            "UPDATE seals SET number = 3 WHERE number = 99",
        ],
        "seal 2 does not follow from seal 1",
    ),
    "a seal is said to be of another time": (
        ["UPDATE seals SET sealed_at_us = sealed_at_us + 1 WHERE number = 2"],
        "seal 2 was changed: it does not have the hash of what it says",
    ),
    "the leaves of a seal are cut": (
        ["UPDATE seals SET leaves = substr(leaves, 1, 32) WHERE number = 2"],
        "seal 2 was changed: its leaves are not those that it was made over",
    ),
    "a number in a seal is text": (["UPDATE seals SET records_up_to = 'x' WHERE number = 2"], "seal 2 was changed"),
    "a seal claims more": (["UPDATE seals SET last_entry_id = 9000000 WHERE number = 4"], "seal 4 was changed"),
}


@pytest.mark.parametrize("done", TAMPERED)
def test_a_chain_that_was_tampered_with_is_told(ledger: Ledger, done: str) -> None:
    statements, said = TAMPERED[done]
    found = ledger.after(*statements)
    assert list(found) == ["seals_hold"]
    assert any(sentence.startswith(said) for sentence in found["seals_hold"].violations)


def test_a_chain_made_anew_is_told_by_a_head_that_was_kept_and_by_nothing_else(
    engine: Engine, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "MOST_IN_A_SEAL", 5)
    world.add(engine, "ada", 50_000, key="fund")
    for number in range(12):
        world.charge(engine, HAIKU, key=f"run-{number}")
    seals.catch_up(engine, now=MUCH_LATER)
    with database.read(engine) as connection:
        kept = [Head(number, str(seal.hash)) for number in (1, 2, 3) if (seal := seals.numbered(connection, number))]
    assert len(kept) == 3
    assert _against(engine, *kept) == [None] * 3

    damage.behind_its_back(engine, "DELETE FROM seals", "UPDATE journal_entries SET actor = 'mallory' WHERE id = 7")
    seals.catch_up(engine, now=MUCH_LATER)
    ledger = Ledger(engine, {}, book, damage.BEGINNING)
    assert ledger.after() == {}
    assert _against(engine, *kept) == [
        None,  # what is before the change has the same seals, as they were made at the same time
        "seal 2 is not the one whose head was kept: the record up to it was rewritten after the head was kept",
        "seal 3 is not the one whose head was kept: the record up to it was rewritten after the head was kept",
    ]

    damage.behind_its_back(engine, "DELETE FROM seals WHERE number > 2")
    assert ledger.after() == {}
    assert _against(engine, kept[2]) == ["seal 3, whose head was kept, is not there: the end of the record was removed"]


def _against(engine: Engine, *kept: Head) -> list[str | None]:
    with database.read(engine) as connection:
        return [heads.against(connection, head) for head in kept]
