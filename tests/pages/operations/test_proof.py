"""The screen Proof: what was checked last, a check on the spot, and the newest seal with its head."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants, seal_keys, seal_proofs, seals
from credits_core.audit import log as audit_log
from credits_core.audit.finding import BEGINNING, Finding, Since
from credits_core.store import activity, database
from credits_core.store.activity import Change
from pages.operations import alone, last_check
from tests.support import damage, page_driver, world
from tests.support.page_driver import button_labels, click, metrics, open_page, run, table
from tests.support.plain_sql import rows, scalar

FILE = "operations/proof.py"


@pytest.fixture(scope="module", autouse=True)
def pages_known(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The driver has opened the overview before, which seals what is new, on a ledger of its own."""
    with page_driver.small_dashboard(tmp_path_factory.mktemp("pages")):
        open_page(FILE)


def test_what_was_never_checked_says_so_and_is_checked_by_a_click(ledger: Engine) -> None:
    page = open_page(FILE)
    assert [info.proto.title for info in page.info] == ["Not checked yet"]
    assert list(page.dataframe) == []
    page = click(page, "Check now")
    (success,) = page.success
    assert success.proto.title == f"All {len(invariants.INVARIANTS)} checks passed"
    assert success.value.startswith("Checked a moment ago, at ")
    assert success.value.endswith(" UTC. No entry since.")
    listed = table(page)
    assert len(listed) == len(invariants.INVARIANTS)
    assert {row["Result"] for row in listed} == {"Holds"}
    assert "The transactions of every entry sum to zero." in {row["What must hold"] for row in listed}
    assert rows(ledger, "SELECT broken_invariants FROM audit_runs") == [(0,)]
    page = run(page)  # a reload checks nothing again
    assert scalar(ledger, "SELECT count(*) FROM audit_runs") == 1


def test_what_is_broken_stands_first_in_one_sentence(ledger: Engine) -> None:
    click(open_page(FILE), "Check now")
    damage.behind_its_back(ledger, "UPDATE journal_entries SET actor = 'mallory' WHERE id = 2")
    page = click(open_page(FILE), "Check now")
    damage.behind_its_back(ledger, "UPDATE journal_entries SET actor = 'tester' WHERE id = 2")
    (error,) = page.error
    assert error.proto.title == f"1 of {len(invariants.INVARIANTS)} checks failed"
    assert "entry 2 is not what seal 1 sealed" in error.value
    first = table(page)[0]
    assert (first["Result"], first["What must hold"]) == ("Broken", "The chain of seals holds.")


def test_a_clean_check_of_what_is_new_hides_nothing_that_was_broken(ledger: Engine) -> None:
    damage.behind_its_back(ledger, "UPDATE user_credits SET balance_credits = balance_credits + 1")
    click(open_page(FILE), "Check now")
    damage.behind_its_back(ledger, "UPDATE user_credits SET balance_credits = balance_credits - 1")
    with database.read(ledger) as connection:
        last = audit_log.last_run(connection)
        found = [Finding(one.invariant, 1, ()) for one in audit_log.last_findings(connection)]
    assert last is not None
    now = last.finished_at + timedelta(seconds=1)
    database.write(ledger, lambda one: audit_log.record(one, found, now=now, since=Since(1, 1, 0, {})))
    page = open_page(FILE)
    (error,) = page.error
    assert error.proto.title == f"{last.broken_invariants} of {len(invariants.INVARIANTS)} checks failed"
    assert table(page)[0]["Result"] == "Broken"


def test_a_check_can_be_stopped_and_then_nothing_is_recorded(ledger: Engine) -> None:
    page = open_page(FILE)
    page.session_state["proof:asked"] = page.session_state["proof:stopped"] = world.NOW
    page = run(page)
    assert [box.proto.title for box in page.warning] == ["You stopped this"]
    assert "Go on" in button_labels(page)
    assert scalar(ledger, "SELECT count(*) FROM audit_runs") == 0
    page = click(page, "Go on")
    assert scalar(ledger, "SELECT count(*) FROM audit_runs") == 1


def test_the_newest_seal_and_what_is_not_sealed_yet_are_shown(ledger: Engine) -> None:
    page = open_page(FILE)
    assert "Nothing is sealed yet." in [caption.value for caption in page.caption]
    page = click(page, "Seal now")
    shown = metrics(page)
    assert shown["Seal"][0] == "1"
    assert [code.value for code in page.code] == [str(scalar(ledger, "SELECT hash FROM seals"))]
    assert shown["Not sealed yet"] == ("0 entries", "0 other records")
    assert "Seal now" not in button_labels(page)
    world.add(ledger, "ada", 5, key="more")
    assert metrics(open_page(FILE))["Not sealed yet"] == ("1 entry", "0 other records")


def test_records_that_wait_for_a_seal_stand_beside_the_entries(ledger: Engine) -> None:
    click(open_page(FILE), "Seal now")
    database.write(
        ledger, lambda connection: activity.note(connection, Change.SIGNED_OUT, "ada", actor="ada", now=world.NOW)
    )
    page = open_page(FILE)
    assert metrics(page)["Not sealed yet"] == ("0 entries", "1 other record")
    assert "Seal now" in button_labels(page)


def test_a_server_without_the_key_warns_that_nothing_new_is_sealed(ledger: Engine, tmp_path: Path) -> None:
    key = seal_keys.make(tmp_path / "key")
    seals.catch_up(ledger, now=world.NOW, key=key, begins_signing=True)
    assert list(open_page(FILE).warning) == []  # nothing waits
    world.add(ledger, "ada", 5, key="more")
    page = open_page(FILE)
    assert [box.proto.title for box in page.warning] == ["New entries are not sealed"]
    assert page.warning[0].value.replace("\\", "") == (
        "CREDITS_SEAL_KEY_FILE is not set, but the newest seal is signed, so the next one must be, too."
        " Tell whoever runs the server."
    )
    assert "Seal now" not in button_labels(page)


def test_a_click_that_seals_nothing_says_why_and_not_that_it_is_done(ledger: Engine) -> None:
    page = open_page(FILE)
    with database.alone(ledger, "seals", seals._LOCK):
        page = click(page, "Seal now")
    assert [(box.proto.title, box.value) for box in page.warning] == [
        ("Nothing was sealed", "Another process is sealing, or somebody is writing. Try again in a minute.")
    ]
    assert not any("check_circle" in markdown.value for markdown in page.markdown)
    page = click(page, "Seal now")
    assert list(page.warning) == []
    assert "1 seal made." in " ".join(markdown.value for markdown in page.markdown)


def test_a_click_that_is_refused_shows_the_reason(ledger: Engine, tmp_path: Path) -> None:
    page = open_page(FILE)
    seals.catch_up(ledger, now=world.NOW, key=seal_keys.make(tmp_path / "key"), begins_signing=True)
    world.add(ledger, "ada", 5, key="more")
    page = click(page, "Seal now")
    assert [box.proto.title for box in page.warning] == ["New entries are not sealed"]
    assert scalar(ledger, "SELECT count(*) FROM seals") == 1


def test_an_old_check_says_how_old_it_is_and_what_came_since(ledger: Engine) -> None:
    now = datetime.now(UTC)
    with database.read(ledger) as connection:
        found = invariants.finding(connection, {}, invariants.balances_are_sums, BEGINNING)
    old = now - timedelta(minutes=15)
    database.write(ledger, lambda connection: audit_log.record(connection, [found], now=old))
    assert open_page(FILE).success[0].value.endswith("No entry since.")
    world.add(ledger, "ada", 5, key="more", now=now)
    page = open_page(FILE)
    assert page.success[0].value.startswith("Checked 15 minutes ago, at ")
    assert page.success[0].value.endswith(" UTC. 1 entry since.")
    for number in range(last_check.MOST_SINCE):
        world.add(ledger, "ada", 5, key=f"many-{number}", now=now)
    assert open_page(FILE).success[0].value.endswith(" UTC. More than 1,000 entries since.")


def test_checks_stand_by_subject_and_every_one_has_a_subject(ledger: Engine) -> None:
    listed = table(click(open_page(FILE), "Check now"))
    subjects = [row["About"] for row in listed]
    assert list(dict.fromkeys(subjects)) == ["Money", "History", "Database"]
    assert subjects == sorted(subjects, key=["Money", "History", "Database"].index)
    assert {type(row[name]) for row in listed for name in ("Checked", "Wrong")} == {int}


def test_the_head_is_there_to_download(ledger: Engine) -> None:
    page = click(open_page(FILE), "Seal now")
    (button,) = page.get("download_button")
    assert button.proto.label == "Download head"  # type: ignore[attr-defined]
    with database.read(ledger) as connection:
        newest = seals.newest(connection)
    assert newest is not None
    assert seal_proofs.head(newest)["hash"] == scalar(ledger, "SELECT hash FROM seals")


def test_a_second_check_at_the_same_time_is_told_to_wait_and_a_later_one_goes_on(ledger: Engine) -> None:
    with alone._busy:
        page = click(open_page(FILE), "Check now")
        assert [box.proto.title for box in page.warning] == ["Somebody is at it already"]
    assert scalar(ledger, "SELECT count(*) FROM audit_runs") == 0
    click(page, "Check now")
    assert scalar(ledger, "SELECT count(*) FROM audit_runs") == 1


def test_entries_that_are_dated_before_the_check_came_since(ledger: Engine) -> None:
    """As those of the demo, whose month is written at once."""
    click(open_page(FILE), "Check now")
    world.add(ledger, "ada", 5, key="more", now=datetime.now(UTC) - timedelta(days=3))
    assert open_page(FILE).success[0].value.endswith(" UTC. 1 entry since.")
