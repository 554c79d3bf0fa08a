"""Each damage to a scratch ledger is found by its check, and the real ledger cannot be reached from there."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings, startup
from credits_core.plans.book import PriceBooks
from credits_core.store import database
from credits_core.values.time_zones import UTC_ZONE
from credits_core.worlds import breaking, damages
from credits_core.worlds import scratch as scratches
from credits_core.worlds.damages import DAMAGES
from tests.support import demo
from tests.support.plain_sql import every_row

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# The damage, a check that tells it, and words of its sentence. Only the seals tell the consistent one.
FOUND = {
    "balance": ("every balance is the sum of its transactions", "but the transactions sum to"),
    "transaction": ("the transactions of every entry sum to zero", "has"),
    "price": ("every run costs what its inputs say", "priced again as"),
    "grant": ("every entry says what was asked for", "differs from the request"),
    "entry": ("the chain of seals holds", "is not what seal"),
    "day": ("the daily totals are sums of the transactions", "daily"),
    "trigger": ("history cannot be changed", "the trigger journal_entries_no_update is not as it should be"),
}


@pytest.fixture(scope="module")
def books() -> PriceBooks:
    return PriceBooks(settings.load_models())


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, books: PriceBooks) -> Engine:
    """The demo's ledger, which nothing here may change."""
    path = tmp_path_factory.mktemp("real") / "credits.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = database.create_engine_for(f"sqlite:///{path}")
    startup.prepare(engine, books, demo=True, now=NOW)
    return engine


def tried(engine: Engine, books: PriceBooks, damage: str) -> breaking.Tried:
    return breaking.try_damage(engine, books, DAMAGES[damage], zone=UTC_ZONE, now=NOW)


def test_every_damage_has_its_check() -> None:
    assert FOUND.keys() == DAMAGES.keys()
    assert len({damage.title for damage in DAMAGES.values()}) == len(DAMAGES)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_found_in_the_copy_and_leaves_the_ledger_as_it_was(
    ledger: Engine, books: PriceBooks, damage: str
) -> None:
    path = Path(str(ledger.url.database))
    before, rows = hashlib.sha256(path.read_bytes()).hexdigest(), every_row(ledger)
    became = tried(ledger, books, damage)
    assert became.ledger.startswith("A copy of this ledger: ")
    assert became.was_wrong == ()
    invariant, words = FOUND[damage]
    (finding,) = [one for one in became.found if one.invariant == invariant]
    assert words in finding.violations[0]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert every_row(ledger) == rows


def test_whoever_damages_gets_an_engine_of_another_file(
    ledger: Engine, books: PriceBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, used = str(ledger.url.database), []
    as_it_is = damages.do

    def spied(copy: scratches.Scratch, damage: damages.Damage) -> str:
        files = [row[2] for row in copy.engine.connect().exec_driver_sql("PRAGMA database_list") if row[2]]
        used.extend([*files, str(copy.engine.url.database)])
        return as_it_is(copy, damage)

    monkeypatch.setattr(damages, "do", spied)
    tried(ledger, books, "balance")
    assert len(set(used)) == 1
    assert Path(used[0]).parent.name.startswith("credits-scratch-")
    assert real not in used
    assert not Path(used[0]).parent.exists()  # thrown away


def test_the_copy_goes_when_the_damage_fails(ledger: Engine, books: PriceBooks) -> None:
    folders = []

    def fail() -> None:
        with scratches.scratch(ledger, books, zone=UTC_ZONE, now=NOW) as copy:
            folders.append(Path(str(copy.engine.url.database)).parent)
            assert folders[0].exists()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fail()
    assert not folders[0].exists()


def test_an_empty_ledger_is_replaced_by_a_demo(sqlite_engine: Engine, books: PriceBooks) -> None:
    became = tried(sqlite_engine, books, "balance")
    assert became.ledger.startswith("A demo ledger, because this one has no entries yet: 3,")
    assert [finding.invariant for finding in became.found] == [FOUND["balance"][0]]
    assert every_row(sqlite_engine)["journal_entries"] == []


def test_a_ledger_on_postgresql_is_replaced_by_a_demo(postgres_engine: Engine, books: PriceBooks) -> None:
    became = tried(postgres_engine, books, "trigger")
    assert became.ledger.startswith("A demo ledger, because only SQLite ledgers are copied")
    assert [finding.invariant for finding in became.found] == [FOUND["trigger"][0]]


def test_a_large_ledger_is_not_copied(ledger: Engine, books: PriceBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratches, "MOST_MEGABYTES", 1)
    became = tried(ledger, books, "balance")
    assert became.ledger.startswith("A demo ledger, because this one is larger than 1 MB")


def test_what_was_wrong_before_is_not_taken_for_the_damage(sqlite_engine: Engine, books: PriceBooks) -> None:
    demo.begin(sqlite_engine)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER refunds_no_update")
    became = tried(sqlite_engine, books, "balance")
    assert became.was_wrong == ("history cannot be changed",)
    assert FOUND["balance"][0] in {finding.invariant for finding in became.found}
