"""The screen Proof: what was checked last, a check on the spot, and the newest seal with its head."""

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants, seal_proofs, seals
from credits_core.store import database
from pages.operations import alone
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
    assert [box.value.partition(" at ")[0] for box in page.success] == [
        f"All {len(invariants.INVARIANTS)} checks passed"
    ]
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
    hash_ = str(scalar(ledger, "SELECT hash FROM seals"))
    assert shown["Hash begins with"][0] == hash_[:12]
    assert [code.value for code in page.code] == [hash_]
    assert shown["Not sealed yet"][0] == "0"
    assert "Seal now" not in button_labels(page)
    world.add(ledger, "ada", 5, key="more")
    assert metrics(open_page(FILE))["Not sealed yet"][0] == "1"


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
