"""The command line through real processes, and in this one where a process of its own would show nothing more."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.audit.invariants import INVARIANTS
from credits_core.store import database
from tests.support import demo, plain_sql, world
from tests.support.commands import Commands
from tests.support.plain_sql import balance, every_row, scalar

ROOT = Path(__file__).resolve().parent.parent.parent
TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,1000,100\n2023-11-16 18:15:50.99,35,10\n"


_KNOWN_SINCE = settings.load_models()["openai/gpt-4o"].known_since
_UNDER = (
    "Entries are dated now and have the live plan promptflow-v1, live since 1970-01-01, and the price of "
    f"openai/gpt-4o in price list 1, known since {_KNOWN_SINCE}. 0 rows are older than the plan, {{older}} older than "
    "the price.\n"
)


def _environment(url: str) -> dict[str, str]:
    return os.environ | {"CREDITS_DATABASE_URL": url, "COLUMNS": "200", "NO_COLOR": "1"}


def _run(url: str, *arguments: str | Path, root: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "credits_core", *map(str, arguments)]
    return subprocess.run(command, cwd=root, env=_environment(url), capture_output=True, text=True, check=False)


def _succeed(url: str, *arguments: str | Path) -> str:
    """What the command printed; it said nothing on stderr but its progress."""
    ran = _run(url, *arguments)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == "" or arguments[0] == "replay"
    return ran.stdout


def _fail(url: str, *arguments: str | Path) -> tuple[str, str]:
    """What the command printed, and the one line of its error."""
    ran = _run(url, *arguments)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert ran.stderr.startswith("error: ")
    assert ran.stderr.count("\n") == 1, ran.stderr
    assert ran.stderr.endswith("\n")
    return ran.stdout, ran.stderr.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def new_url(tmp_path: Path) -> str:
    """A SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'new.db'}"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two requests, which cost 4,200 and 225 credits with openai/gpt-4o."""
    path = tmp_path / "trace.csv"
    path.write_text(TRACE, encoding="utf-8")
    return path


# --- commands that succeed ------------------------------------------------------------------------------------------


def test_a_ledger_is_made_filled_replayed_and_proved(
    commands: Commands, new_url: str, trace: Path, tmp_path: Path
) -> None:
    commands.use(new_url)
    assert _succeed(new_url, "migrate") == f"{new_url} is at the newest migration\n"
    assert commands("migrate") == (0, f"{new_url} is at the newest migration\n", "")

    legacy = tmp_path / "legacy.csv"
    legacy.write_text("user_id,credits\nada,5000000\nben,120000\nchloe,0\n", encoding="utf-8")
    assert _succeed(new_url, "import-legacy", legacy) == (
        "2 opening balances imported (5,120,000 credits = $5.12), 0 imported before, 1 empty accounts\n"
    )
    assert commands("import-legacy", legacy)[1] == (
        "0 opening balances imported (0 credits = $0.00), 2 imported before, 1 empty accounts\n"
    )

    replay = ("replay", trace, "--model", "openai/gpt-4o", "--user", "ada")
    ran = _run(new_url, *replay, "--limit", "1")
    assert (ran.returncode, ran.stdout) == (
        0,
        "1 rows: 1 charged now, 0 charged before, 0 refused for lack of credits, 0 unused; "
        f"total 4,200 credits = $0.0042\n{_UNDER.format(older=1)}",
    )
    assert "1/1" in ran.stderr  # the progress
    assert commands(*replay)[1] == (
        "2 rows: 1 charged now, 1 charged before, 0 refused for lack of credits, 0 unused; "
        f"total 4,425 credits = $0.004425\n{_UNDER.format(older=2)}"
    )
    assert commands(*replay[:-1], "chloe")[1] == (
        "2 rows: 0 charged now, 0 charged before, 2 refused for lack of credits, 0 unused; "
        f"total 0 credits = $0.00\n{_UNDER.format(older=2)}"
    )

    lines = _succeed(new_url, "verify").splitlines()
    assert lines[0] == "ok    the transactions of every entry sum to zero: 4 checked"
    assert [line for line in lines if not re.fullmatch(r"ok    [^:]+: [\d,]+ checked", line)] == []
    assert len(lines) == len(INVARIANTS)
    since_last = _succeed(new_url, "verify", "--since-last").splitlines()
    assert since_last[:2] == [
        "After entry 4, where the last clean audit ended:",
        "ok    the transactions of every entry sum to zero: 0 checked",
    ]
    assert [line.partition(":")[0] for line in since_last[1:]] == [line.partition(":")[0] for line in lines]
    with database.opened(new_url) as engine:
        assert plain_sql.rows(engine, "SELECT since_entry_id, last_entry_id FROM audit_runs") == [(0, 4), (4, 4)]


@pytest.mark.as_owner
def test_the_commands_work_on_postgresql(commands: Commands, postgres_url: str, trace: Path) -> None:
    commands.use(postgres_url)
    assert commands("migrate")[0] == 0
    assert commands("seed")[1] == f"{demo.BUILT}\n"
    assert "2 charged now" in commands("replay", trace, "--model", "openai/gpt-4o", "--user", "ada")[1]
    code, stdout, stderr = commands("verify")
    assert (code, stderr) == (0, "")
    assert "WRONG" not in stdout


@pytest.mark.as_owner
def test_a_password_is_not_printed(commands: Commands, postgres_url: str) -> None:
    for url in (
        "postgresql://credits:secret@127.0.0.1:1/credits",
        postgres_url.replace("postgres@", "postgres:secret@"),  # a trusting server asks for none
    ):
        commands.use(url)
        _, stdout, stderr = commands("migrate")
        assert "127.0.0.1" in stdout + stderr
        assert "secret" not in stdout + stderr


def test_a_replay_that_is_interrupted_goes_on_where_it_stopped(
    commands: Commands, sqlite_url: str, sqlite_engine: Engine, tmp_path: Path
) -> None:
    world.add(sqlite_engine, "ada", 10_000_000, key="fund")
    path = tmp_path / "long.csv"
    path.write_text(TRACE.splitlines()[0] + "\n" + "2023-11-16,40,0\n" * 20_000, encoding="utf-8")
    replay = ("replay", str(path), "--model", "openai/gpt-4o", "--user", "ada")

    # Tests that run in the background ignore this signal, and the processes they start would inherit that.
    as_from_a_keyboard = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    started = subprocess.Popen(
        [sys.executable, "-c", f"{as_from_a_keyboard}; runpy.run_module('credits_core', run_name='__main__')", *replay],
        cwd=ROOT,
        env=_environment(sqlite_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while scalar(sqlite_engine, "SELECT COUNT(*) FROM prompt_runs") == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    _, stderr = started.communicate(timeout=300)
    assert started.returncode == 130
    assert stderr.endswith("error: stopped by Ctrl-C\n")
    assert "Traceback" not in stderr

    charged = int(str(scalar(sqlite_engine, "SELECT COUNT(*) FROM prompt_runs")))
    assert 0 < charged < 20_000
    code, stdout, _ = commands(*replay, "--limit", str(charged + 50))
    assert code == 0
    assert stdout.startswith(f"{charged + 50:,} rows: 50 charged now, {charged:,} charged before, 0 refused")
    assert balance(sqlite_engine, "ada") == 10_000_000 - (charged + 50) * 120


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_damaged_ledger_does_not_pass(sqlite_url: str, sqlite_engine: Engine) -> None:
    world.add(sqlite_engine, "ada", 500, key="fund")
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE user_credits SET balance_credits = 501")
    ran = _run(sqlite_url, "verify")
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert [line for line in ran.stdout.splitlines() if not line.startswith("ok ")] == [
        "WRONG every balance is the sum of its transactions: 1 checked, 1 wrong: "
        "ada has 501 credits, but the transactions sum to 500"
    ]


COMMANDS = [
    ("seed",),
    ("verify",),
    ("import-legacy", "legacy.csv"),
    ("replay", "trace.csv", "--model", "openai/gpt-4o", "--user", "ada"),
]


def test_a_database_that_is_not_migrated_is_refused_with_what_to_run(new_url: str) -> None:
    assert _fail(new_url, "seed") == (
        "",
        "The database is not up to date: it is at migration none, this version needs 0027. "
        "Run: python -m credits_core migrate",
    )


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_no_command_uses_a_database_that_is_not_migrated(
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
    new_url: str,
    arguments: tuple[str, ...],
) -> None:
    commands.use(new_url)
    code, stdout, stderr = commands(*arguments)
    assert (code, stdout) == (1, "")
    assert stderr.startswith("error: The database is not up to date: it is at migration none")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql://nobody@127.0.0.1:1/credits", "the database cannot be used: connection failed: "),
        ("postgresql://nobody@127.0.0.1:port/credits", "CREDITS_DATABASE_URL: must be a URL such as"),
        ("credits.db", "CREDITS_DATABASE_URL: must be a URL such as sqlite:///data/credits.db"),
        (
            "mysql://root@127.0.0.1/credits",
            "CREDITS_DATABASE_URL: must begin with sqlite:/// or postgresql://, not mysql",
        ),
        ("sqlite://", "CREDITS_DATABASE_URL: must name a file"),
        (
            "sqlite:////no/such/folder/credits.db",
            "CREDITS_DATABASE_URL: names /no/such/folder/credits.db, but its folder",
        ),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_line(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, url: str, error: str
) -> None:
    commands.use(url)
    for command in ("migrate", "verify"):
        code, stdout, stderr = commands(command)
        assert (code, stdout) == (1, "")
        assert stderr.startswith(f"error: {error}")
        assert stderr.count("\n") == 1


def test_a_server_that_does_not_answer_is_one_line_in_a_process() -> None:
    assert "Connection refused" in _fail("postgresql://nobody@127.0.0.1:1/credits", "migrate")[1]


def test_a_bad_url_is_one_line_in_a_process() -> None:
    assert _fail("credits.db", "verify")[1].startswith("CREDITS_DATABASE_URL: must be a URL")


def test_a_file_that_is_no_database_is_one_line(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear Ada, " * 100, encoding="utf-8")
    commands.use(f"sqlite:///{tmp_path / 'letter.db'}")
    assert commands("migrate") == (1, "", "error: the database cannot be used: file is not a database\n")


def test_a_database_from_a_later_version_is_one_line(commands: Commands, sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    code, stdout, stderr = commands("migrate")
    assert (code, stdout) == (1, "")
    assert stderr == "error: the database cannot be used: Can't locate revision identified by '9999'\n"


def test_bad_rows_are_listed_and_nothing_is_imported(sqlite_url: str, sqlite_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("user_id,credits\ndev,12.5\nada,5\n=cmd,10\n", encoding="utf-8")
    before = every_row(sqlite_engine)
    stdout, error = _fail(sqlite_url, "import-legacy", path)
    assert stdout.splitlines() == [
        f"{path}: line 2: credits: must be a whole number, 0 or more, not '12.5'",
        f"{path}: line 4: user_id: must be 1 to 128 characters: a letter or digit, then letters, digits or"
        " . _ @ / | + -, not '=cmd'",
    ]
    assert error == f"{path}: 2 problem(s), listed above; nothing was changed"
    assert every_row(sqlite_engine) == before


def test_one_bad_row_is_listed_too(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(TRACE + "tomorrow,1,1\n", encoding="utf-8")
    assert commands("replay", path, "--model", "openai/gpt-4o", "--user", "ada") == (
        1,
        f"{path}: line 4: TIMESTAMP must be a time such as 2023-11-16 18:15:46.68, not 'tomorrow'\n",
        f"error: {path}: 1 problem(s), listed above; nothing was changed\n",
    )


def test_an_unknown_user_is_one_line(sqlite_url: str, trace: Path) -> None:
    assert _fail(sqlite_url, "replay", trace, "--model", "openai/gpt-4o", "--user", "nobody") == (
        "",
        "There is no user 'nobody'. Add credits to create the user first.",
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("replay", "trace.csv", "--model", "openai/gpt-0", "--user", "ada"),
            "There is no model 'openai/gpt-0'.",
        ),
        (
            ("replay", "missing.csv", "--model", "openai/gpt-4o", "--user", "ada"),
            "missing.csv: does not exist; nothing was changed\n",
        ),
        (
            ("import-legacy", "missing.csv"),
            "missing.csv: does not exist; nothing was changed\n",
        ),
        (("import-legacy", "."), ".: cannot be read: Is a directory; nothing was changed\n"),
    ],
)
def test_what_a_command_cannot_use_is_one_line(
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
    trace: Path,
    arguments: tuple[str, ...],
    error: str,
) -> None:
    monkeypatch.chdir(trace.parent)
    code, stdout, stderr = commands(*arguments)
    assert (code, stdout) == (1, "")
    assert stderr.startswith(f"error: {error}")
    assert stderr.count("\n") == 1


def test_a_broken_data_file_lists_its_problems(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "models.toml"
    path.write_text('[[models]]\nid = "a"\n[[models]]\nid = "b"\n', encoding="utf-8")
    monkeypatch.setattr(settings, "MODELS_FILE", path)
    code, stdout, stderr = commands("verify")
    assert code == 1
    assert [line.split(": ")[:2] for line in stdout.splitlines()] == [
        [str(path), "model 'a'"],
        [str(path), "model 'b'"],
    ]
    assert stderr == f"error: {path}: 2 problem(s), listed above; nothing was changed\n"


# --- models refresh -------------------------------------------------------------------------------------------------


def test_model_prices_are_refreshed_in_a_copy_of_the_project(tmp_path: Path, new_url: str) -> None:
    for folder in ("credits_core", "data"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
    path = tmp_path / "data" / "models.toml"
    real = path.read_text(encoding="utf-8")
    model = real[real.index('id = "openai/gpt-4o"') :]
    old_price = re.search(r"input_tokens = ([0-9.]+)", model)
    assert old_price is not None
    wrong = model.replace(old_price[0], "input_tokens = 77", 1)
    path.write_text(real.replace(model, wrong), encoding="utf-8")

    ran = _run(new_url, "models", "refresh", "--file", root=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert any(line.startswith("openai/gpt-4o: ") and "77" in line for line in ran.stdout.splitlines())
    assert "models.toml: " in ran.stdout.splitlines()[-1]
    assert old_price[0] in path.read_text(encoding="utf-8")
    assert "input_tokens = 77" not in path.read_text(encoding="utf-8")


def test_a_models_file_that_cannot_be_refreshed_stays_as_it_is(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[[models", encoding="utf-8")
    monkeypatch.setattr(settings, "MODELS_FILE", path)
    code, stdout, stderr = commands("models", "refresh", "--file")
    assert (code, stdout) == (1, "")
    assert stderr.startswith(f"error: {path}: is not TOML: ")
    assert path.read_text(encoding="utf-8") == "[[models"


def test_a_database_without_a_live_price_list_says_what_to_run(commands: Commands) -> None:
    assert commands("models", "refresh") == (
        1,
        "",
        "error: No price list is live yet. Run: python -m credits_core migrate\n",
    )
