"""Examines an installation: settings, database, disk, clock, versions, permissions, jobs, backups and sign-in.

Each examination returns what it saw in a sentence and, where something is amiss, what to do. None changes anything, and
one that cannot look says so instead of ending the others.
"""

import stat
import sys
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text

from credits_core import settings
from credits_core.access import guard, people
from credits_core.audit import log as audit_log
from credits_core.audit import seal_keys
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.operations import doctor_backups, jobs, lease, runs
from credits_core.operations.backups import postgres_dump, programs
from credits_core.operations.verdicts import Examined, Findings, Now, Verdict, ago
from credits_core.settings import SignIn
from credits_core.store import database, grants
from credits_core.store.tables import JournalEntry
from credits_core.values.days import from_microseconds
from credits_core.values.text import counted

_PYTHON_FROM, _PYTHON_BEFORE = (3, 11), (3, 14)
_OLDEST_POSTGRES = 13
_CLOCKS_APART = timedelta(seconds=2)
_AUDIT_EVERY = timedelta(hours=26)
_WHEN_AWAY = "Look whether the database runs, whether its disk is full, and where CREDITS_DATABASE_URL leads."
_OTHERS_WRITE, _OTHERS_READ = stat.S_IWGRP | stat.S_IWOTH, stat.S_IROTH


def examine(database_url: str, now: Now) -> list[Examined]:
    """Examine everything, in the order in which it should be mended."""
    found = [*_each("Settings", _settings), *_each("Versions", _versions), *_each("Permissions", _files, database_url)]
    try:
        with database.opened(database_url) as engine:
            reached = _each("Database", _database, engine)
            found += reached
            if all(one.verdict is not Verdict.WRONG for one in reached):
                for subject, look in _OF_A_LEDGER.items():
                    found += _each(subject, look, engine, now)
    except CreditsError as refusal:
        found.append(Examined("Database", Verdict.WRONG, str(refusal), "Set CREDITS_DATABASE_URL to a database."))
    found += [*_each("Disk", doctor_backups.disk, database_url), *_each("Backups", doctor_backups.backup_place)]
    return [
        *found,
        *_each("Backups", doctor_backups.backup_keys),
        *_each("Backups", doctor_backups.backups, database_url, now),
    ]


def _each(subject: str, look: Callable[..., Findings], *given: object) -> list[Examined]:
    found: list[Examined] = []
    try:
        found.extend(Examined(subject, *finding) for finding in look(*given))  # keeps what was found before a failure
    except CreditsError as refusal:
        found.append(Examined(subject, Verdict.WRONG, str(refusal)))
    except database.FAILURES as error:
        first_line = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
        to_do = _WHEN_AWAY if subject == "Database" else ""
        found.append(Examined(subject, Verdict.WRONG, f"This cannot be examined: {first_line}", to_do))
    return found


def _settings() -> Findings:
    wrong = False
    for read in settings.CHECKED:
        try:
            read()
        except CreditsError as refusal:
            wrong = True
            yield Verdict.WRONG, f"{refusal}.", "Set it anew, or take it away for the default."
    for name in settings.unknown_variables():
        wrong = True
        yield (
            Verdict.WARNING,
            f"{name} is set, but nothing reads it.",
            "Look for a slip in its name; docs/api.md lists all.",
        )
    if not wrong:
        yield Verdict.OK, "Every setting can be read.", ""
    yield from _signing_in()


def _signing_in() -> Findings:
    way = settings.sign_in()
    if way is SignIn.LOCAL:
        yield Verdict.OK, "Nobody signs in, and only this machine is served.", ""
    elif way is SignIn.NONE:
        yield (
            Verdict.WARNING,
            "Nobody signs in, and whoever reaches the dashboard may do everything.",
            "Set CREDITS_SIGN_IN=oidc: docs/sign-in.md.",
        )
    else:
        try:
            guard.require_provider(_provider_section())
        except InvalidRequest as refusal:
            yield Verdict.WRONG, f"{refusal}.", f"docs/sign-in.md shows what {_secrets_file()} must hold."
        else:
            yield Verdict.OK, f"People sign in at the provider of {_secrets_file()}.", ""
        if not settings.notify_urls():
            yield (
                Verdict.WARNING,
                "The product tells nobody when something is wrong.",
                "Set CREDITS_NOTIFY_URLS to an address of yours: docs/api.md.",
            )


def _secrets_file() -> Path:
    """The first file with Streamlit's secrets that is there, or else the first that may be."""
    files = settings.secrets_files()
    return next((path for path in files if path.exists()), files[0])


def _provider_section() -> dict[str, object]:
    path = _secrets_file()
    return dict(tomllib.loads(path.read_text(encoding="utf-8")).get("auth", {})) if path.exists() else {}


def _versions() -> Findings:
    running = ".".join(map(str, sys.version_info[:3]))
    if not _PYTHON_FROM <= sys.version_info[:2] < _PYTHON_BEFORE:
        yield Verdict.WRONG, f"Python {running} runs this.", "Use Python 3.11, 3.12 or 3.13."
    else:
        yield Verdict.OK, f"Python {running}.", ""


def _files(database_url: str) -> Findings:
    seen = 0
    for path, is_secret in _own_files(database_url):
        if not path.exists():
            continue
        seen += 1
        mode = path.stat().st_mode
        if mode & (_OTHERS_WRITE | (_OTHERS_READ if is_secret else 0)):
            what = "read" if is_secret and not mode & _OTHERS_WRITE else "write"
            yield Verdict.WRONG, f"Others of this machine may {what} {path}.", f"chmod 600 {path}"
        elif mode & _OTHERS_READ:
            yield Verdict.WARNING, f"Others of this machine may read {path}.", f"chmod 600 {path}"
    if not seen:
        yield Verdict.OK, "No file here holds a secret.", ""
    key_file = settings.seal_key_file()
    if key_file is not None:
        seal_keys.configured()  # refuses what it cannot sign with
        yield Verdict.OK, f"Seals are signed with the key of {key_file}.", ""


def _own_files(database_url: str) -> Iterator[tuple[Path, bool]]:
    """The files that others should not read or write, and whether reading one tells a secret."""
    if (own := database.sqlite_file(database_url)) is not None:
        yield own, False
    secrets = (settings.seal_key_file(), settings.backup_identity_file(), *settings.secrets_files())
    for secret in filter(None, secrets):
        yield secret, True


def _database(engine: Engine) -> Findings:
    database.require_migrated(engine)  # first, because it does not make an SQLite file where none is
    with database.read(engine) as connection:
        said = _server(connection)
    yield Verdict.OK, f"{said}, at the newest schema.", ""


def _server(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {database.sqlite_driver().sqlite_version} answers"
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    return f"PostgreSQL {_major(version)} answers"


def _major(version: int) -> int:
    return int(str(version)[:-4])  # 150004 is 15.4


def _server_version(engine: Engine, _now: Now) -> Findings:
    if engine.dialect.name == "sqlite":
        if not database.is_wal_safe():
            yield (
                Verdict.WARNING,
                "This SQLite can damage a database in WAL mode, so a slower journal is used.",
                "Install the package pysqlite3, or use Python with SQLite 3.51.3 or newer.",
            )
        return
    with database.read(engine) as connection:
        major = _major(int(connection.execute(text("SHOW server_version_num")).scalar_one()))
    if major < _OLDEST_POSTGRES:
        yield Verdict.WRONG, f"PostgreSQL {major} is not supported.", f"Use PostgreSQL {_OLDEST_POSTGRES} or newer."


def _role(engine: Engine, _now: Now) -> Findings:
    if engine.dialect.name != "postgresql":
        return
    with database.read(engine) as connection:
        role = str(connection.execute(text("SELECT current_user")).scalar_one())
        too_much = grants.excess(connection, role)
    if too_much:
        yield (
            Verdict.WARNING,
            f"The role {role} may do more than the product needs: {', '.join(too_much[:3])}.",
            "Run the product as a role of its own: python -m credits_core grant-app-role NAME.",
        )
    else:
        yield Verdict.OK, f"The role {role} can neither change nor delete history.", ""


def _drills(engine: Engine, _now: Now) -> Findings:
    if engine.dialect.name != "postgresql":
        return
    programs.require()
    with database.read(engine) as connection:
        may = postgres_dump.may_make_databases(connection)
    if not may and settings.backup_scratch_url() is None:
        yield (
            Verdict.WRONG,
            f"The role {engine.url.username} may not make databases, so no backup can be tried.",
            "ALTER ROLE … CREATEDB, or set CREDITS_BACKUP_SCRATCH_URL: docs/backups.md.",
        )


def _clock(engine: Engine, now: Now) -> Findings:
    with database.read(engine) as connection:
        newest_us = connection.scalar(select(JournalEntry.created_at_us).order_by(JournalEntry.id.desc()).limit(1))
        servers = None
        if engine.dialect.name == "postgresql":
            servers = connection.execute(text("SELECT clock_timestamp()")).scalar_one().astimezone(UTC)
    here = now()
    if servers is not None and abs(servers - here) > _CLOCKS_APART:
        yield (
            Verdict.WRONG,
            f"The clocks of this machine and of the database are {abs(servers - here).total_seconds():.0f} s apart.",
            "Set both by a time server: apt-get install systemd-timesyncd.",
        )
    elif newest_us is not None and from_microseconds(newest_us) > here + _CLOCKS_APART:
        yield (
            Verdict.WRONG,
            f"The newest entry is of {from_microseconds(newest_us):%Y-%m-%d %H:%M:%S} UTC, which is yet to come.",
            "Set this machine's clock by a time server: apt-get install systemd-timesyncd.",
        )
    else:
        yield Verdict.OK, f"It is {here:%Y-%m-%d %H:%M:%S} UTC, after the newest entry.", ""


def _people(engine: Engine, _now: Now) -> Findings:
    if settings.sign_in() is not SignIn.OIDC:
        return
    with database.read(engine) as connection:
        admins = people.admins(connection)
    if admins:
        yield Verdict.OK, f"{counted(len(admins), 'admin')} can manage people.", ""
    else:
        yield (
            Verdict.WRONG,
            "Nobody is an admin, so nobody can let people in.",
            "python -m credits_core people add ADDRESS admin",
        )


def _jobs(engine: Engine, _now: Now) -> Findings:
    with database.read(engine) as connection:
        leading = lease.held(connection).get(lease.LEADER)
        found = runs.newest_of_each(connection, jobs.NAMES, limit=runs.FAILURES_UNTIL_RED)
    if leading is None or not leading.is_running:
        to_do = (
            "Start a server; one leads within a minute."
            if settings.jobs_enabled()
            else "Set CREDITS_JOBS to 1, or take it away."
        )
        yield Verdict.WARNING, "No process leads, so no job runs by itself.", to_do
    else:
        yield Verdict.OK, f"The process {leading.holder} runs the jobs.", ""
    for name, last in found.items():
        failures = runs.failures_in_a_row(last)
        if failures:
            is_red, message = failures >= runs.FAILURES_UNTIL_RED, runs.last_failure(last)
            yield (
                Verdict.WRONG if is_red else Verdict.WARNING,
                f"The job {name} failed {f'{failures} times' if is_red else 'at its last run'}: {message}",
                f"Mend the cause, then: python -m credits_core jobs run {name}",
            )


def _audits(engine: Engine, now: Now) -> Findings:
    with database.read(engine) as connection:
        last = audit_log.verdict(connection)
    if last is None:
        yield Verdict.WARNING, "Nothing was ever audited.", "python -m credits_core verify"
    elif not last.ok:
        yield (
            Verdict.WRONG,
            f"The last audit found {counted(last.broken_invariants, 'broken invariant')}.",
            "python -m credits_core verify, and docs/runbook.md",
        )
    elif now() - last.finished_at > _AUDIT_EVERY:
        yield Verdict.WARNING, f"The last audit was {ago(now() - last.finished_at)}.", "python -m credits_core verify"
    else:
        yield Verdict.OK, f"The last audit was clean, {ago(now() - last.finished_at)}.", ""


_OF_A_LEDGER: dict[str, Callable[[Engine, Now], Findings]] = {
    "Versions": _server_version,
    "Role": _role,
    "Clock": _clock,
    "People": _people,
    "Jobs": _jobs,
    "Audit": _audits,
    "Drills": _drills,
}
