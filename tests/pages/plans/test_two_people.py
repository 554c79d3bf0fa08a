"""Two people with the dashboard and one draft: neither replaces nor makes live what they have not seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.support import page_driver, world
from tests.support.page_driver import button_labels, click, open_page, run
from tests.support.plain_sql import rows
from tests.support.plans import SPECIFICATION

DRAFT = replace(SPECIFICATION, id="mine", cap_down=True)
FILE = 'id = "mine"\ncreator_share_bps = 7000\ncap_down = true\n[[tiers]]\nmarkup_bps = 2500\n'
STORED = "SELECT revision, actor FROM price_plans WHERE id = 'mine'"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        yield engine


def bring_in() -> AppTest:
    page = open_page("plans/pricing_lab.py")
    page.file_uploader[0].set_value(("mine.toml", FILE.encode(), "application/toml"))
    return run(page)


def shown(page: AppTest) -> str:
    return " ".join(one.value for one in (*page.caption, *page.markdown)).replace("\\", "")


def test_a_file_shows_what_it_changes_in_the_draft_with_its_id(ledger: Engine) -> None:
    world.save_draft(ledger, DRAFT)
    page = bring_in()
    assert "Replaces revision 1, saved by tester on " in shown(page)
    assert "- creator_share_bps: 8000 -> 7000" in shown(page)
    assert "- tier 3: removed, markup_credits = 500" in shown(page)
    click(page, "Replace draft mine")
    assert rows(ledger, STORED) == [(2, "dashboard")]


def test_a_draft_that_changed_since_it_was_shown_is_not_replaced(ledger: Engine) -> None:
    world.save_draft(ledger, DRAFT)
    page = bring_in()
    world.save_draft(ledger, replace(DRAFT, creator_share_bps=1), revision=1)
    page = click(page, "Replace draft mine")
    assert rows(ledger, STORED) == [(2, "tester")]
    assert "was saved by somebody else meanwhile" in page.error[0].proto.title
    assert "Replaces revision 2" in shown(page)
    assert "- creator_share_bps: 1 -> 7000" in shown(page)
    click(page, "Replace draft mine")
    assert rows(ledger, STORED) == [(3, "dashboard")]


def test_a_draft_that_was_made_since_the_file_was_read_is_not_replaced(ledger: Engine) -> None:
    page = bring_in()
    world.save_draft(ledger, DRAFT)
    page = click(page, "Save mine as draft")
    assert rows(ledger, STORED) == [(1, "tester")]
    assert "There is already a price plan" in page.error[0].proto.title
    assert "Replace draft mine" in button_labels(page)


@pytest.mark.parametrize("button", ["Make live", "Discard draft"])
def test_a_draft_that_changed_since_it_was_shown_is_neither_made_live_nor_discarded(
    ledger: Engine, button: str
) -> None:
    world.save_draft(ledger, DRAFT)
    page = open_page("plans/pricing_lab.py", plan="mine")
    world.save_draft(ledger, replace(DRAFT, creator_share_bps=1), revision=1)
    page = click(page, button)
    (told,) = page.warning
    assert told.value == "Now you see revision 2, saved by tester. Nothing was changed."
    assert not [one for one in page.button if one.key in {"activate:confirm", "discard:confirm"}]
    assert rows(ledger, STORED) == [(2, "tester")]
    page = click(page, button)
    assert not page.warning
    assert [one for one in page.button if one.key in {"activate:confirm", "discard:confirm"}]


def test_the_dialog_names_the_revision_that_goes_live(ledger: Engine) -> None:
    world.save_draft(ledger, DRAFT)
    page = click(open_page("plans/pricing_lab.py", plan="mine"), "Make live")
    assert "**mine**, revision 1, will price all new runs" in shown(page)
