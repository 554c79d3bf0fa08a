"""The walk through the API is true: its commands, run in order against real servers, print what it shows."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from credits_core.api import app

ROOT = Path(__file__).resolve().parent.parent.parent
WALK = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```([a-z]+(?: [a-z]+)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from one walk to the next. Everything else is compared as it stands.
VOLATILE = [
    (re.compile(r"pfk_[A-Za-z0-9_-]{6}"), "pfk_KEY"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "REQUEST"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}(Z|\+00:00)"), r"TIME\1"),
    (re.compile(r"\bmade \d{4}-\d{2}-\d{2}\b"), "made DAY"),
    (re.compile(r'"latency_ms": [\d.]+'), '"latency_ms": MS'),
    (re.compile(r"(?i)retry-after: \d+"), "retry-after: SECONDS"),
]
SECONDS_TO_START = 300
SECONDS_PER_BLOCK = 300
# Neither is refused by a route, so the document of the routes does not have them.
REFUSED_BEFORE_A_ROUTE = {"not_found": 404, "method_not_allowed": 405}
FIELDS_OF_EVERY_PROBLEM = {"type", "title", "status", "detail", "code", "request_id"}


@dataclass(frozen=True)
class Block:
    """Commands with the output shown under them, a server to be started, or a line of its log."""

    kind: str
    text: str
    shown: str = ""


def blocks_of(document: str) -> list[Block]:
    """The blocks of a document in order, each output with the commands right above it."""
    found: list[Block] = []
    end_of_commands = -1
    for match in BLOCK.finditer(document):
        kind, text = match.groups()
        if kind == "text":
            assert not document[end_of_commands : match.start()].strip(), f"an output without its commands:\n{text}"
            found[-1] = Block(found[-1].kind, found[-1].text, text)
        elif kind in {"sh", "sh server", "json log"}:
            found.append(Block(kind, text))
        end_of_commands = match.end() if kind == "sh" else -1
    return found


def steady(text: str) -> str:
    """The text with times, request ids and keys put out of sight."""
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return text.replace("\r\n", "\n").strip("\n")


class Reader:
    """Somebody who walks along the document: one shell after another with the same variables, and servers beside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = ExitStack()
        self._variables = folder / "variables.sh"
        self._variables.touch()
        programs = folder / "bin"
        programs.mkdir()
        python = programs / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("CREDITS_", "STREAMLIT_"))}
        self._environment = kept | {
            "CREDITS_DATABASE_URL": f"sqlite:///{folder / 'walk.db'}",
            "CREDITS_DEMO": "0",
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    @property
    def log(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self._folder.glob("server-*.log")))

    def run(self, commands: str) -> str:
        """What the commands print on both of their streams."""
        script = f'set -a\n. "{self._variables}"\n{commands}\nexport -p > "{self._variables}"\n'
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_PER_BLOCK,
            text=True,
            check=False,
        ).stdout

    def start(self, command: str, port: int) -> None:
        """Start a server and wait until it answers at this port."""
        self._servers.enter_context(self._serving(command, port))

    @contextmanager
    def _serving(self, command: str, port: int) -> Iterator[None]:
        log_file = self._folder / f"server-{port}.log"
        with log_file.open("w") as log:
            # The shell becomes the server, so that ending the process ends the server.
            server = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"],
                cwd=ROOT,
                env=self._environment | {"STREAMLIT_SERVER_PORT": str(port)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                assert answers_in_time(port, server), f"it did not start:\n{command}{log_file.read_text()}"
                yield
            finally:
                server.terminate()
                server.wait(120)


def answers_in_time(port: int, server: "subprocess.Popen[bytes]") -> bool:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=30):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def require_curl() -> None:
    """Nothing where curl is. Without it the test is skipped, or fails when `REQUIRE_CURL=1`."""
    if shutil.which("curl") is None:
        reason = "no curl: install Debian's curl package"
        if os.environ.get("REQUIRE_CURL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.long
def test_the_walk_through_the_api_prints_what_it_shows(tmp_path: Path) -> None:
    require_curl()
    servers = [block for block in blocks_of(WALK) if block.kind == "sh server"]
    ports = free_ports(len(servers))
    document = WALK.replace("/tmp/walk.db", str(tmp_path / "walk.db"))
    for number, port in enumerate(ports):
        document = document.replace(f"{8501 + number}", f"{port}")
    walked = blocks_of(document)
    assert len([block for block in walked if block.kind == "sh"]) >= 15
    starting = iter(ports)
    with Reader(tmp_path) as reader:
        for block in walked:
            if block.kind == "sh server":
                reader.start(block.text, next(starting))
            elif block.kind == "json log":
                assert steady(block.text) in [steady(line) for line in reader.log.splitlines()], reader.log
            else:
                printed = reader.run(block.text)
                assert steady(printed) == steady(block.shown), block.text
        assert [line for line in reader.log.splitlines() if "traceback" in line.lower()] == []


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = TestClient(app).get("/api/openapi.json").json()
    return document


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the table in a chapter, without its head."""
    chapter = WALK.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in chapter.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_path_is_in_the_table_of_roles(openapi: dict[str, Any]) -> None:
    told = {row[0].strip("`") for row in rows_under("Roles")}
    served = {f"{method.upper()} /api{path}" for path, methods in openapi["paths"].items() for method in methods}
    assert told == served | {"GET /api/docs", "GET /api/openapi.json"}


def test_every_refusal_is_in_its_table_with_its_status_and_fields(openapi: dict[str, Any]) -> None:
    documented = {code: (status, set[str]()) for code, status in REFUSED_BEFORE_A_ROUTE.items()}
    for methods in openapi["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
                for code, example in examples.items():
                    fields = set(example["value"]) - FIELDS_OF_EVERY_PROBLEM
                    documented[code] = (example["value"]["status"], fields)
    told = {
        code.strip("`"): (int(status), set(re.findall(r"`([a-z_]+)`", fields.partition(":")[0])))
        for code, status, fields, _ in rows_under("Refusals")
    }
    assert told == documented


def test_every_environment_variable_is_in_its_table() -> None:
    read = set(re.findall(r"CREDITS_[A-Z_]+", (ROOT / "credits_core" / "settings.py").read_text(encoding="utf-8")))
    assert {row[0].strip("`") for row in rows_under("Environment variables")} == read


def test_every_metric_is_in_its_table() -> None:
    files = sorted((ROOT / "credits_core" / "api").glob("metrics*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    made = set(re.findall(r'"(promptflow_[a-z_]+)"', source))
    assert {row[0].strip("`").removesuffix("_total") for row in rows_under("Metrics")} == made
