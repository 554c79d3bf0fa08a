"""Dashboards for the tests of the screen Models: one for those that only look, and one for each of the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.audit import invariants
from credits_core.pricing.plan_toml import load_price_plan
from tests.support import page_driver


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The ledger of a dashboard with the shipped price list, live."""
    with page_driver.dashboard(tmp_path_factory.mktemp("models"), demo=False) as engine:
        yield engine


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine
        plan = load_price_plan(settings.FIRST_PLAN_FILE)
        assert [one for one in invariants.check(engine, {plan.id: plan}) if not one.ok] == []
