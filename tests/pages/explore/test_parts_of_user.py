"""What a user has beside what can be spent, on the user's screen: what is held, and lots with their expiry."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.payments.sandbox import Ending
from credits_core.store.kinds import CreditSource
from tests.support import holding, page_driver, selling, world
from tests.support.page_driver import links, metrics, open_page


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


def _headers(page: Any) -> list[str]:
    return [heading.value for heading in page.header]


def test_a_user_without_holds_and_expiries_sees_nothing_of_them(empty: Engine) -> None:
    world.add(empty, "ada", 1_000, key="fund")
    page = open_page("explore/balances.py", user="ada")
    assert not page.exception
    assert {"Held for runs", "Lots"}.isdisjoint(_headers(page))


def test_what_is_held_and_what_expires_is_shown(empty: Engine) -> None:
    now = datetime.now(UTC)
    world.add(empty, "ada", 20_000, key="fund", now=now)
    soon = now + timedelta(days=3)
    world.add(empty, "ada", 500, key="bonus", source=CreditSource.GRANT, reason="Bonus", expires_at=soon, now=now)
    holding.authorise(empty, key="hold", now=now)
    page = open_page("explore/balances.py", user="ada")
    assert not page.exception
    assert {"Held for runs", "Lots"} <= set(_headers(page))
    assert metrics(page)["Held"][0] == "13,750"
    assert metrics(page)["Credits in"][0] == "20,500"
    assert "All 3 transactions of ada" in links(page)  # the hold among them, as in the list behind the link
    tables = [one.value.to_dict("records") for one in page.dataframe]
    (held,) = next(rows for rows in tables if "State" in rows[0])
    assert (held["Credits"], held["State"], held["For"]) == (13_750, "Open", "summarise on openai/gpt-4o")
    (lot,) = next(rows for rows in tables if "Source" in rows[0])
    assert (lot["Source"], lot["Left"], lot["Now"]) == ("Purchase", 6_750, "Can be spent")


def test_what_is_frozen_and_owed_of_payments_is_shown_without_any_hold(empty: Engine) -> None:
    selling.sell(empty, "zoe")
    selling.play(empty, Ending.PAID)
    selling.play(empty, Ending.DISPUTED)
    page = open_page("explore/balances.py", user="zoe")
    assert "Of payments" in _headers(page)
    assert "Held for runs" not in _headers(page)
    assert metrics(page)["Frozen"] == ("5,000,000", "$5.00")
    selling.play(empty, Ending.WON)
    assert "Of payments" not in _headers(open_page("explore/balances.py", user="zoe"))


def test_what_a_creator_owes_for_a_refunded_share_is_told_from_payments(empty: Engine) -> None:
    now = datetime.now(UTC)
    world.add(empty, "ada", 20_000, key="fund", now=now)
    run = world.charge(empty, world.HAIKU_WITH_FEE, key="run", now=now).entry_id
    world.charge(empty, world.run_by("ben"), key="spends", now=now)  # 300 of 800
    world.refund(empty, run, key="refund", now=now)
    page = open_page("explore/balances.py", user="ben")
    assert not page.exception
    assert "Owed for refunds" in _headers(page)
    assert "Of payments" not in _headers(page)
    assert metrics(page)["Owed for shares"][0] == "300"
    overview = open_page("explore/overview.py", days=f"{now:%Y-%m-%d}")
    assert not overview.exception
    assert [metrics(overview)[name][0] for name in ("Owed to us", "Became owed", "Paid of it")] == ["300", "300", "0"]
    assert any(re.search("gave back 500 credits .* and owe 300 credits", one.value) for one in overview.caption)
    creators = open_page("explore/creator_earnings.py", creator="ben", days=f"{now:%Y-%m-%d}")
    assert metrics(creators)["Owed"][0] == "300"
    assert any("300 credits were spent before, and became owed" in one.value for one in creators.caption)
    world.charge(empty, world.HAIKU_WITH_FEE, key="next", now=now)
    assert "Owed for refunds" not in _headers(open_page("explore/balances.py", user="ben"))
    after = open_page("explore/overview.py", days=f"{now:%Y-%m-%d}")
    assert [metrics(after)[name][0] for name in ("Owed to us", "Became owed", "Paid of it")] == ["0", "300", "300"]
