"""The section Break it: a damage to a copy is told in words, and the ledger behind the dashboard stays as it was."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from credits_core.worlds.damages import DAMAGES
from pages.operations import alone
from tests.support import page_driver
from tests.support.plain_sql import every_row


def section() -> None:
    from pages.operations import break_it

    break_it.draw()


def damaged(folder: Path, damage: str) -> AppTest:
    with page_driver.dashboard(folder, demo=True) as engine:
        before = every_row(engine)
        page = AppTest.from_function(section, default_timeout=120).run()
        assert not page.exception
        assert page.success.len + page.warning.len + page.error.len == 0
        page.radio[0].set_value(damage)
        page = page.button[0].click().run()
        assert not page.exception
        assert every_row(engine) == before
    return page


def test_a_changed_balance_is_found_and_said_in_words(tmp_path: Path) -> None:
    page = damaged(tmp_path, "balance")
    assert page.success[0].value.startswith("One check of ")
    said = " ".join(markdown.value for markdown in page.markdown)
    assert "was raised by 1,000,000 credits" in said
    assert "every balance is the sum of its transactions" in said
    assert "but the transactions sum to" in said
    assert page.caption[-1].value.startswith("A copy of this ledger: ")


def test_a_consistent_rewriting_is_told_by_the_seals(tmp_path: Path) -> None:
    page = damaged(tmp_path, "entry")
    assert page.success[0].value.startswith("One check of ")
    assert "the chain of seals holds" in " ".join(markdown.value for markdown in page.markdown)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damage_is_offered_in_plain_words(damage: object) -> None:
    assert len(str(getattr(damage, "title", "")).split()) <= 4
    assert len(str(getattr(damage, "meaning", "")).split()) <= 12


def test_a_second_one_at_the_same_time_is_told_to_wait(tmp_path: Path) -> None:
    with page_driver.dashboard(tmp_path, demo=True), alone._busy:
        page = AppTest.from_function(section, default_timeout=120).run()
        page = page.button[0].click().run()
        assert [box.proto.title for box in page.warning] == ["Somebody is at it already"]
        assert "break_it_tried" not in page.session_state
    assert not alone._busy.locked()
