"""The documents are true: their commands give the output they show, and their links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.warm_python import warm_python

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = sorted(path.name for path in (ROOT / "credits_core").iterdir() if path.is_dir() and path.name[0] not in "_.")
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
MODULE = re.compile(
    r"\b(?:credits_core|pages|tests|benchmarks|scripts)(?:/[\w<>]+)+(?:\.py)?"  # as a path
    r"|\b(?:credits_core|benchmarks|scripts)(?:\.[a-z_]+)+"  # as Python names it
    rf"|(?<=`)(?:{'|'.join(ROOMS)})(?:/[\w<>]+)+(?:\.py)?(?=`)"  # as a room names it
)


def steps(block: str) -> list[tuple[str, str]]:
    """The commands of a console block with the output shown under each."""
    found = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output.rstrip("\n")) for command, _, output in (step.partition("\n") for step in found)]


def matches(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, printed.strip("\n"), re.DOTALL) is not None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = [target for target in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (path.parent / target).exists()] == []


def is_there(named: str, *folders: Path) -> bool:
    """Whether a file, a folder or a module is called so in one of the folders; `<area>` stands for any name."""
    pattern = re.sub(r"<\w+>", "*", named).rstrip("/")
    return any([*folder.glob(pattern), *folder.glob(f"{pattern}.py")] for folder in folders)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_module_that_does_not_exist(path: Path) -> None:
    named = MODULE.findall(path.read_text(encoding="utf-8"))
    paths = {name if "/" in name else name.replace(".", "/") for name in named}
    assert [name for name in sorted(paths) if not is_there(name, ROOT, ROOT / "credits_core")] == []


def test_every_path_in_the_architecture_exists() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = [name for name in CODE.findall(architecture) if "/" in name or name.endswith(".py")]
    assert len(named) >= 50
    assert [name for name in named if not is_there(name, ROOT, ROOT / "credits_core", ROOT / "docs")] == []


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("ledger/actions.py", True),
        ("ledger/actions", True),
        ("pages/<area>/charts.py", True),
        ("tests/pages/<area>", True),
        ("credits_core/", True),
        ("ledger/services.py", False),
        ("pages/<area>/nothing.py", False),
    ],
)
def test_a_name_is_found_where_it_is(named: str, *, there: bool) -> None:
    assert is_there(named, ROOT, ROOT / "credits_core") == there


@pytest.mark.long
def test_the_walk_along_the_command_line_prints_what_it_shows(tmp_path: Path) -> None:
    environment = os.environ | {
        "CREDITS_DATABASE_URL": f"sqlite:///{tmp_path / 'walk.db'}",
        "CREDITS_BACKUP_URL": str(tmp_path / "backups"),
        "CREDITS_USAGE_FOLDER": str(tmp_path / "usage"),
        "PYTHONPATH": str(ROOT),
        "PYTHON": sys.executable,
        "COLUMNS": "200",
    }
    blocks = CONSOLE.findall((ROOT / "docs" / "command-line.md").read_text(encoding="utf-8"))
    walked = [step for block in blocks for step in steps(block)]
    assert len(walked) >= 10
    with warm_python(tmp_path) as python:
        for command, shown in walked:
            ran = subprocess.run(
                ["bash", "-c", f"{python}\n{command}"],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert matches(shown, ran.stdout), f"$ {command}\n{ran.stdout}\ninstead of\n{shown}"


def test_the_two_commands_of_the_readme_are_in_the_makefile() -> None:
    readme, makefile = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    for command in ("run", "test"):
        assert f"make {command}" in readme
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_measurements_tell_how_fast_a_charge_is_on_both_databases() -> None:
    measured = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
    (speed,) = re.findall(r"^## Speed\n(.*?)^## ", measured, re.MULTILINE | re.DOTALL)
    # A word in capitals holds a place for something not measured yet, unless it is a term.
    assert set(re.findall(r"\b[A-Z]{2,}\b", speed)) <= {"WAL", "FULL", "HTTP", "MB", "API", "SQL", "CPU", "JSON", "CSV"}
    for server in ("SQLite", "PostgreSQL"):
        (row,) = re.findall(rf"^\| {server}.*$", speed, re.MULTILINE)
        assert re.search(r"[0-9]/s.*single [0-9.]+, batch [0-9.]+", row), row


def test_every_package_has_its_reason() -> None:
    reasons = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
    for name in ("requirements.in", "requirements-dev.in"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        packages = [re.split(r"[\[;>=<]", line)[0].strip() for line in lines if line and line[0] not in "#-"]
        assert [package for package in packages if f"`{package}`" not in reasons] == []
