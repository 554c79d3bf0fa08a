"""What all tests share: the databases, how many samples the laws are tried on, and the order of the tests.

A test has a fresh database, migrated by Alembic, on SQLite and on a real PostgreSQL server. `TEST_POSTGRES_URL` names a
server to use (its user may create databases); otherwise one is started from the machine's binaries. Without either the
PostgreSQL half is skipped, or fails when `REQUIRE_POSTGRES=1`.

On PostgreSQL the product runs as a role that may neither change nor delete history, as it should in use. Tests that
damage a database, or prove what guards it, are marked `as_owner`.

`--full` tries everything on its full range of samples: laws, kills, generated requests and a million runs.
"""

import itertools
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, make_url, text

from credits_core.pricing.quote import PriceBook
from credits_core.store import database, grants
from tests.support import memory, plain_sql, postgres_server, world

BACKENDS = ("sqlite", "postgresql")
_MAIN = sys.modules["__main__"]
_numbers = itertools.count()
_EXAMPLES, _EXAMPLES_IN_FULL = 25, 500
_ROLE = "credits_product"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="try laws and sweeps on all of their samples")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "as_owner: connects to PostgreSQL as the owner of the tables")
    config.addinivalue_line("markers", "long: takes many seconds, and so begins before the others")
    examples = _EXAMPLES_IN_FULL if config.getoption("full") else _EXAMPLES
    # Nothing here may fail because the machine is slow: no deadline for an example, none for drawing it.
    settings.register_profile(
        "tests",
        max_examples=examples,
        deadline=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("tests")
    os.environ.setdefault("CREDITS_DEMO_END", "2026-11-22")
    os.environ["CREDITS_USAGE_FOLDER"] = "/nonexistent/usage"  # those that bring usage in have a folder of their own
    os.environ.setdefault("CREDITS_JOBS", "0")  # those that test jobs switch them on
    os.environ["LOGNAME"] = "maria"  # who runs the commands, whatever the machine
    if folder := memory.folder():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)  # nobody waits for one that begins last


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Each worker takes modules as a whole, which open their databases once, and helps the other one at the end."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the test shall take all of its samples, however long that takes."""
    return bool(request.config.getoption("full"))


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """Puts back the main module, which opening a page replaces by the page and a process of ours would then run."""
    sys.modules["__main__"] = _MAIN  # a fixture of a module may have opened a page before
    yield
    sys.modules["__main__"] = _MAIN


@pytest.fixture
def api_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the API and the ledger log, which otherwise goes to the output alone."""
    logger = logging.getLogger("promptflow")
    goes_on = logger.propagate
    logger.addHandler(caplog.handler)
    logger.propagate = False  # or each record would come twice
    yield caplog
    logger.propagate = goes_on
    logger.removeHandler(caplog.handler)


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The URL of a PostgreSQL server in which the tests create and drop their databases."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        return
    binaries = postgres_server.find_binaries()
    if binaries is None:
        reason = "no PostgreSQL: install Debian's postgresql package, or set TEST_POSTGRES_URL"
        if os.environ.get("REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with postgres_server.running_server(binaries) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_role(postgres_server_url: str) -> str:
    """A role of the server that owns nothing: the product runs as it."""
    known = make_url(postgres_server_url)
    plain_sql.owner |= {"username": known.username or "", "password": known.password or ""}
    made_by_another_worker = (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)
    with closing(psycopg.connect(postgres_server_url, autocommit=True)) as admin, suppress(*made_by_another_worker):
        admin.execute(f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{_ROLE}'")
    return _ROLE


@pytest.fixture(scope="session")
def postgres_template(postgres_server_url: str, postgres_role: str) -> Iterator[str]:
    """The name of a migrated, empty database that each test's own is a copy of."""
    with _postgres_database(postgres_server_url) as url:
        _migrate(url)
        with _engine(url) as engine, engine.begin() as connection:
            connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))  # so by itself from 15 on
            grants.grant(connection, postgres_role)
        name = make_url(url).database
        assert name is not None
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file that each test's own is a copy of."""
    path = tmp_path_factory.mktemp("template") / "credits.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'credits.db')}"


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server_url: str, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    with _postgres_database(postgres_server_url, template=postgres_template) as url:
        yield _as_product(request, url)


@pytest.fixture(params=BACKENDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A migrated database of the test's own, on either backend. What the test leaves in it must add up."""
    with _engine(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")) as engine:
        yield engine
        assert plain_sql.contradictions(engine) == []


@pytest.fixture(scope="module", params=BACKENDS)
def shared_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A migrated database, on either backend, for all those tests of a module that leave it as they found it."""
    with ExitStack() as opened:
        if request.param == "sqlite":
            copied = shutil.copy(
                request.getfixturevalue("sqlite_template"), tmp_path_factory.mktemp("shared") / "credits.db"
            )
            url = f"sqlite:///{copied}"
        else:
            server, template = (request.getfixturevalue(f"postgres_{name}") for name in ("server_url", "template"))
            url = _as_product(request, opened.enter_context(_postgres_database(server, template=template)))
        engine = opened.enter_context(_engine(url))
        yield engine
        assert plain_sql.contradictions(engine) == []


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """A migrated SQLite database of the test's own."""
    with _engine(sqlite_url) as engine:
        yield engine


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """A migrated PostgreSQL database of the test's own."""
    with _engine(postgres_url) as engine:
        yield engine


@pytest.fixture(params=BACKENDS)
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without any table, on either backend."""
    if request.param == "sqlite":
        with _engine(f"sqlite:///{tmp_path / 'empty.db'}") as engine:
            yield engine
        return
    with _postgres_database(request.getfixturevalue("postgres_server_url")) as url, _engine(url) as engine:
        yield engine


@pytest.fixture(scope="session")
def book() -> PriceBook:
    """The hand-written price book of `tests/support/world.py`."""
    return world.price_book()


def _migrate(url: str) -> None:
    with _engine(url) as engine:
        database.migrate(engine)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = database.create_engine_for(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _as_product(request: pytest.FixtureRequest, url: str) -> str:
    if request.node.get_closest_marker("as_owner"):
        return url
    return make_url(url).set(username=_ROLE, password=_ROLE).render_as_string(hide_password=False)


def _quickest_copy(server: "psycopg.Connection[tuple[object, ...]]") -> str:
    # Two small files of a test server are copied sooner than they are logged; before 15 there is no other way.
    return "STRATEGY FILE_COPY" if server.info.server_version >= 150_000 else ""


@contextmanager
def _postgres_database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    name = f"credits_test_{os.getpid()}_{next(_numbers)}"
    with closing(psycopg.connect(server_url, autocommit=True)) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} {_quickest_copy(admin)}")
        try:
            yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
