"""The engine, the price book and the data files, made once for all pages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

import streamlit as st
from sqlalchemy import Connection, Engine

from credits_core import settings, startup
from credits_core.audit import seals
from credits_core.bulk import first_start
from credits_core.bulk.demo_world import DemoWorld, load_demo_world
from credits_core.bulk.first_start import Beginning
from credits_core.bulk.starting_over import Holdings
from credits_core.lab.scenario.assumptions import Scenario, load_scenarios
from credits_core.lab.scenario.presets import Preset, load_presets
from credits_core.lab.scenario.workload import Workload, load_workloads
from credits_core.operations.surroundings import Surroundings
from credits_core.plans import records as plan_records
from credits_core.plans.book import PriceBooks
from credits_core.plans.records import PlanRecord
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals, users
from credits_core.store import database, deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting
from credits_core.usage.responses import known_providers
from credits_core.values.roles import Actor
from credits_core.values.time_zones import TimeZone
from pages.parts import visitor

Result = TypeVar("Result")
_LONGEST_WAIT_SECONDS, _CATCH_UP_SECONDS = 30, 3


@st.cache_resource(show_spinner="Preparing the database…")
def engine() -> Engine:
    """The engine of the configured database, made ready on first use: SQLite is migrated."""
    opened = database.create_engine_for(settings.database_url())
    startup.prepare(opened, books(), demo=settings.demo_at_start(), now=datetime.now(UTC))
    return opened


@st.cache_resource
def books() -> PriceBooks:
    """What gives the current price book."""
    return PriceBooks(settings.load_models())


def models() -> ModelRegistry:
    """The AI models that are offered, with their prices."""
    return book().models


def book() -> PriceBook:
    """The models and the live price plan, to show a price. What charges asks `book_at`."""
    with reading() as connection:
        return book_at(connection)


def book_at(connection: Connection) -> PriceBook:
    """The models and the price plan that is live in this unit of work."""
    return books().at(connection)


def plans() -> dict[str, PlanRecord]:
    """Every price plan by its id: the live one, then drafts, then previously live ones."""
    with reading() as connection:
        return plan_records.plans(connection)


@st.cache_resource
def zone() -> TimeZone:
    """The time zone whose days count."""
    return settings.time_zone()


def beginning() -> Beginning:
    """How the database began. Nobody keeps it, because another process may have begun meanwhile."""
    with reading() as connection:
        return first_start.beginning(connection)


def is_undecided() -> bool:
    """Whether the database is empty and nobody has said how to begin, but could."""
    return settings.demo_enabled() and beginning() is Beginning.UNDECIDED


def is_demo() -> bool:
    """Whether the database began as the demo world, and the demo is on."""
    return settings.demo_enabled() and beginning() is Beginning.DEMO


def demo() -> DemoWorld | None:
    """The demo world's prompts and flows to choose from, or None where this is no demo."""
    return _demo_world() if is_demo() else None


@st.cache_resource
def _demo_world() -> DemoWorld:
    return load_demo_world()


def build_demo(connection: Connection, now: datetime, actor: Actor) -> bool:
    """Build the demo world where nothing is yet, and return whether it was built."""
    return startup.build_demo(connection, books(), now=now, actor=actor)


def start_demo_over(connection: Connection, now: datetime, actor: Actor) -> Holdings:
    """Empty the database and build the demo world as in a new one; refused where there is anything but a demo."""
    return startup.start_demo_over(connection, books(), now=now, actor=actor)


@st.cache_resource
def workloads() -> dict[str, Workload]:
    """What real prompt runs look like, by the workload's id."""
    return load_workloads(settings.WORKLOADS_FILE)


@st.cache_resource
def scenarios() -> dict[str, Scenario]:
    """The assumptions of a scenario for each workload, by the workload's id."""
    return load_scenarios(settings.SCENARIOS_FILE, workloads())


@st.cache_resource
def presets() -> dict[str, Preset]:
    """Stories that a scenario can begin with, by their names."""
    return load_presets(settings.SCENARIOS_FILE, scenarios())


def surroundings() -> Surroundings:
    """What jobs work with."""
    return Surroundings(engine(), books(), zone(), lambda: datetime.now(UTC))


def writing(action: Callable[[Connection], Result]) -> Result:
    """Run the action in one unit of work within `CREDITS_DEADLINE_SECONDS`, and return its result.

    What a person could repeat by clicking again goes through `action.perform` instead.
    """
    with deadline.within(settings.deadline_seconds()):
        return database.write(engine(), action)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for reading, one consistent snapshot for everything a page shows.

    No statement may take longer than half a minute. A part that draws itself anew does not pass the main script, so it
    asks here whether the person is still let in.
    """
    if visitor.is_part_of_a_screen() and not visitor.lately_at(engine()).is_let_in:
        st.rerun()
    with deadline.each_wait(_LONGEST_WAIT_SECONDS), database.read(engine()) as connection:
        yield connection


@st.cache_data(ttl=60, show_spinner=False)
def keep_totals_quick() -> None:
    """Let the daily totals catch up, and the seals, at most once a minute; totals are exact without, only slower.

    Whoever opens a page waits for those who write a moment at most.
    """
    with deadline.within(_CATCH_UP_SECONDS), suppress(DeadlinePassed, TooManyWaiting):
        daily_totals.catch_up(engine(), zone())
        seals.catch_up_quietly(engine(), now=datetime.now(UTC), most_seals=5)  # nobody waits for more


@st.cache_data(ttl=300, show_spinner=False)
def median_run_credits() -> int | None:
    """The median total of a run, asked for at most every five minutes; None without runs."""
    with reading() as connection:
        return users.median_total_credits(connection)


def this_hour() -> datetime:
    """The hour that has begun, in UTC. Made-up runs are priced at it, so that their prices can be kept for a while."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@st.cache_resource
def response_providers() -> list[str]:
    """The providers whose responses can be read, in order of their names."""
    return sorted(known_providers())
