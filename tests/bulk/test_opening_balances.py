from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.bulk.csv_rows import SentFile
from credits_core.bulk.opening_balances import (
    EXAMPLE_FILE,
    ImportPlan,
    ImportSummary,
    import_legacy,
    importing,
    plan_import,
    read_legacy_balances,
)
from credits_core.errors import DataFileInvalid
from credits_core.ledger import opening
from credits_core.ledger.refusals import CirculationTooLarge
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.values.progress import Progress
from credits_core.values.refusals import NeedsApproval
from credits_core.values.roles import PersonRole, person
from tests.support import world
from tests.support.actors import named
from tests.support.plain_sql import balance, every_row, refused, rows, scalar
from tests.support.world import HAIKU, LATER, NOW

LARGEST = 9_007_199_254_740_991


def _write(folder: Path, *lines: str, name: str = "legacy.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(["user_id,credits", *lines]) + "\n", encoding="utf-8")
    return path


def _import(engine: Engine, path: Path) -> ImportSummary:
    return import_legacy(engine, path, now=NOW, actor=named("cli"))


def _problems(path: Path) -> list[str]:
    with pytest.raises(DataFileInvalid) as caught:
        read_legacy_balances(path)
    assert caught.value.path == str(path)
    return caught.value.problems


def test_every_row_becomes_an_opening_balance(engine: Engine, tmp_path: Path, book: PriceBook) -> None:
    path = _write(tmp_path, "ada,5000000", "ben,1", "chloe,0")
    assert _import(engine, path) == ImportSummary(imported=2, imported_before=0, empty=1, imported_credits=5_000_001)
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 5_000_000),
        ("ben", 1),
        ("chloe", 0),
    ]
    assert rows(engine, "SELECT idempotency_key, type, actor, description FROM journal_entries ORDER BY id") == [
        ("legacy:ada", "adjustment", "cli", "Opening balance from the former credit system"),
        ("legacy:ben", "adjustment", "cli", "Opening balance from the former credit system"),
    ]
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_a_second_import_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    path = _write(tmp_path, "ada,500", "chloe,0")
    _import(engine, path)
    world.charge(engine, HAIKU, key="run")
    before = every_row(engine)
    assert import_legacy(engine, path, now=LATER, actor=named("another")) == ImportSummary(0, 1, 1, 0)
    assert every_row(engine) == before


def test_a_longer_file_adds_its_new_users(engine: Engine, tmp_path: Path) -> None:
    _import(engine, _write(tmp_path, "ada,500", "chloe,0"))
    longer = _write(tmp_path, "ada,500", "ben,70", "chloe,0", "dev,8", name="longer.csv")
    assert _import(engine, longer) == ImportSummary(imported=2, imported_before=1, empty=1, imported_credits=78)


def test_a_user_who_bought_credits_before_keeps_them(engine: Engine, tmp_path: Path) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    assert _import(engine, _write(tmp_path, "ada,500", "ben,0")).imported == 1
    assert balance(engine, "ada") == 1_500


def test_one_bad_row_keeps_every_row_out(engine: Engine, tmp_path: Path) -> None:
    with refused(engine, DataFileInvalid) as caught:
        _import(engine, _write(tmp_path, "ada,500", "ben,-1", "chloe,7"))
    assert caught.value.problems == [  # type: ignore[attr-defined]
        "line 3: credits: must be a whole number, 0 or more, not '-1'"
    ]


def test_a_changed_amount_is_refused_with_its_line_and_nothing_else_is_imported(engine: Engine, tmp_path: Path) -> None:
    _import(engine, _write(tmp_path, "ada,500", "ben,70"))
    changed = _write(tmp_path, "dev,8", "ada,500", "ben,71", name="changed.csv")
    with refused(engine, DataFileInvalid) as caught:
        _import(engine, changed)
    (problem,) = caught.value.problems  # type: ignore[attr-defined]
    assert problem == "line 4: ben was imported before with other credits, by entry 2"


def test_balances_that_are_too_large_together_are_all_refused(engine: Engine, tmp_path: Path) -> None:
    users = 1_100  # more than a 64-bit sum holds, not only more than the limit
    with refused(engine, CirculationTooLarge):
        _import(engine, _write(tmp_path, *(f"user{number},{LARGEST}" for number in range(users))))
    assert _import(engine, _write(tmp_path, f"ada,{LARGEST}")).imported_credits == LARGEST


def test_a_file_written_on_windows_is_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "windows.csv"
    path.write_bytes(b'\xef\xbb\xbfuser_id,credits\r\nada,5\r\n\r\n"ben","007"\r\n')
    assert read_legacy_balances(path) == {"ada": (2, 5), "ben": (4, 7)}


def test_blank_lines_are_no_rows_and_count_as_lines(tmp_path: Path) -> None:
    assert _problems(_write(tmp_path, "", "ada,5", "", "", "ben,x", "")) == [
        "line 6: credits: must be a whole number, 0 or more, not 'x'"
    ]


def test_every_bad_row_is_named_by_its_line(tmp_path: Path) -> None:
    bad_id = "must be 1 to 128 characters: a letter or digit, then letters, digits or . _ @ / | + -, not"
    not_whole = "must be a whole number, 0 or more, not"
    bad_rows = {
        "ada": "row: must be user_id,credits, not 'ada'",
        "ada,1,2": "row: must be user_id,credits, not 'ada,1,2'",
        ",1": f"user_id: {bad_id} ''",
        "=cmd,1": f"user_id: {bad_id} '=cmd'",
        " ada,1": f"user_id: {bad_id} ' ada'",
        "platform:revenue,1": f"user_id: {bad_id} 'platform:revenue'",
        "ada,": f"credits: {not_whole} ''",
        "ada,12.5": f"credits: {not_whole} '12.5'",
        "ada,1_000": f"credits: {not_whole} '1_000'",
        'ada,"1,000"': f"credits: {not_whole} '1,000'",
        "ada,٣": f"credits: {not_whole} '٣'",
        "ada,1e3": f"credits: {not_whole} '1e3'",
        f"ada,{LARGEST + 1}": "credits: must be from 0 to 9,007,199,254,740,991, not 9,007,199,254,740,992",
        f"ada,{'9' * 5_000}": f"credits: {not_whole} '{'9' * 40}'",
        "   ": "row: must be user_id,credits, not '   '",
    }
    path = _write(tmp_path, f"first,{LARGEST}", *bad_rows)
    assert _problems(path) == [f"line {line}: {problem}" for line, problem in enumerate(bad_rows.values(), 3)]


def test_a_user_may_stand_in_a_file_once(tmp_path: Path) -> None:
    assert _problems(_write(tmp_path, "ada,5", "ben,5", "ada,5", "Ada,5", "ada,6")) == [
        "line 4: ada is already on line 2",
        "line 6: ada is already on line 2",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1 must be user_id,credits, not ''"),
        (b"ada,5\n", "line 1 must be user_id,credits, not 'ada,5'"),
        (b"user_id|credits\nada|5\n", "line 1 must be user_id,credits, not 'user_id|credits'"),
        (b"user_id,credits\n\xff,5\n", "cannot be read: it is not text in UTF-8"),
    ],
)
def test_a_file_that_holds_no_balances_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "legacy.csv"
    path.write_bytes(content)
    (found,) = _problems(path)
    assert found.startswith(problem)


def test_a_file_without_rows_imports_nothing(engine: Engine, tmp_path: Path) -> None:
    assert _import(engine, _write(tmp_path)) == ImportSummary(0, 0, 0, 0)


def test_a_large_file_is_imported_as_a_whole(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = _write(tmp_path, *(f"user{number},{number}" for number in range(10_000)))
    assert _import(sqlite_engine, path) == ImportSummary(9_999, 0, 1, 9_999 * 10_000 // 2)
    assert scalar(sqlite_engine, "SELECT SUM(balance_credits) FROM user_credits") == 49_995_000
    assert _import(sqlite_engine, path) == ImportSummary(0, 9_999, 1, 0)


# --- a file that somebody sent -------------------------------------------------------------------------------------


def _plan(engine: Engine, sent: SentFile) -> ImportPlan:
    with database.read(engine) as connection:
        return plan_import(connection, sent)


def test_the_example_is_a_file_that_can_be_imported(engine: Engine) -> None:
    sent = SentFile("example.csv", EXAMPLE_FILE.encode())
    assert _plan(engine, sent) == ImportPlan(
        new=2,
        new_credits=5_250_000,
        imported_before=0,
        empty=1,
        first=((2, "ada", 5_000_000), (3, "ben", 250_000), (4, "chloe", 0)),
    )
    assert rows(engine, "SELECT COUNT(*) FROM user_credits") == [(0,)]
    assert import_legacy(engine, sent, now=NOW, actor=named("dashboard")) == ImportSummary(2, 0, 1, 5_250_000)


def test_a_plan_counts_what_was_imported_before(engine: Engine) -> None:
    import_legacy(engine, SentFile("first.csv", b"user_id,credits\nada,5\n"), now=NOW, actor=named("cli"))
    longer = _plan(engine, SentFile("longer.csv", b"\xef\xbb\xbfcredits;user_id\r\n5;ada\r\n7;ben\r\n0;chloe\r\n"))
    assert (longer.rows, longer.new, longer.new_credits, longer.imported_before, longer.empty) == (3, 1, 7, 1, 1)


def test_a_plan_names_each_refused_line_and_the_file_as_it_was_sent(engine: Engine) -> None:
    import_legacy(engine, SentFile("first.csv", b"user_id,credits\nada,5\n"), now=NOW, actor=named("cli"))
    with pytest.raises(DataFileInvalid) as caught:
        _plan(engine, SentFile("second.csv", b"user_id,credits\nAda,1\nada,6\n"))
    assert (caught.value.path, caught.value.problems) == (
        "second.csv",
        [
            "line 2: Ada differs from ada, on line 3, only in upper and lower case",
            "line 3: ada was imported before with other credits, by entry 1",
        ],
    )


def test_an_import_tells_how_far_it_is_and_what_is_left_half_way_stays(engine: Engine) -> None:
    sent = SentFile("many.csv", b"user_id,credits\n" + b"".join(b"user-%d,5\n" % number for number in range(1_200)))
    begun = importing(engine, sent, now=NOW, actor=named("dashboard"))
    first = next(begun)
    begun.close()
    assert first == Progress(first.done, 1_200)
    assert 0 < first.done <= 500
    assert scalar(engine, "SELECT SUM(balance_credits) FROM user_credits") == 5 * first.done
    assert import_legacy(engine, sent, now=LATER, actor=named("dashboard")) == ImportSummary(
        1_200 - first.done, first.done, 0, 5 * (1_200 - first.done)
    )


# --- how much one person imports --------------------------------------------------------------------------------------


FINANCE = person("fin@example.org", frozenset({PersonRole.FINANCE}))


def _many(folder: Path, rows_of_file: int, credits: int) -> Path:
    return _write(folder, *(f"user{number},{credits}" for number in range(rows_of_file)))


def test_one_person_imports_a_file_up_to_the_limit_and_not_a_credit_more(engine: Engine, tmp_path: Path) -> None:
    path = _write(tmp_path, "ada,5000000", "ben,5000001")
    with refused(engine, NeedsApproval) as told:
        import_legacy(engine, path, now=NOW, actor=FINANCE)
    assert str(told.value) == (
        "Another person must approve more than 10,000,000 credits, and this moves 10,000,001. Import the file at the"
        " command line; nothing was changed."
    )
    assert import_legacy(engine, _write(tmp_path, "ada,5000000", "ben,5000000"), now=NOW, actor=FINANCE).imported == 2


def test_a_file_of_many_pieces_is_refused_before_the_first_of_them(engine: Engine, tmp_path: Path) -> None:
    with refused(engine, NeedsApproval):
        import_legacy(engine, _many(tmp_path, 1_100, 10_000), now=NOW, actor=FINANCE)


def test_what_was_imported_before_does_not_count_again(engine: Engine, tmp_path: Path) -> None:
    _import(engine, _write(tmp_path, "ada,20000000"))
    summary = import_legacy(engine, _write(tmp_path, "ada,20000000", "ben,10000000"), now=NOW, actor=FINANCE)
    assert (summary.imported, summary.imported_before) == (1, 1)


def test_one_piece_is_not_more_than_one_person_may_move_either(engine: Engine) -> None:
    with refused(engine, NeedsApproval):
        database.write(
            engine,
            lambda connection: opening.import_opening_balances(
                connection, {"ada": 6_000_000, "ben": 6_000_000}, now=NOW, actor=FINANCE
            ),
        )
