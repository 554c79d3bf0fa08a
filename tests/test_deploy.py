"""What `deploy/` holds for a real machine is accepted by the programs that read it, and is as hardened as it says."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from typer.main import get_command

from credits_core import settings
from credits_core.cli.main import app
from tests.browser.test_base_path import NGINX_FOLDERS
from tests.support.killing import require_strace

ROOT = settings.PROJECT_FOLDER
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
MOST_COMMANDS = 19
MOST_EXPOSED = 2.0


def _systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        if os.environ.get("REQUIRE_SYSTEMD"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    return program


def _systemd(command: str, unit: Path, *options: str) -> str:
    ran = subprocess.run(
        [_systemd_analyze(), command, *options, str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(params=UNITS, ids=lambda path: path.stem)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it is, but for the folder of the product, which is this checkout, and a user that is there."""
    text = request.param.read_text(encoding="utf-8").replace("/opt/promptflow", str(ROOT))
    for name in ("User", "Group"):
        text = text.replace(f"{name}=promptflow", f"{name}=root")
    path = tmp_path / request.param.name
    path.write_text(text, encoding="utf-8")
    return path


def test_systemd_accepts_the_units(unit: Path) -> None:
    assert _systemd("verify", unit) == ""


def test_the_units_are_hardened(unit: Path) -> None:
    path = unit.with_name(f"hardened-{unit.name}")
    path.write_text(unit.read_text(encoding="utf-8").replace("=root", "=promptflow"), encoding="utf-8")
    said = _systemd("security", path, "--offline=true")
    level = re.search(r"Overall exposure level for .*: ([\d.]+) ", said)
    assert level is not None
    assert float(level[1]) < MOST_EXPOSED


def test_both_units_are_hardened_alike() -> None:
    own = ("Description=", "ExecStart=", "# ")
    dashboard, api = (
        [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(own)] for path in UNITS
    )
    assert dashboard == api


def _calls(group: str) -> set[str]:
    """The system calls in a group of systemd's, and in the groups in it."""
    said = subprocess.run(
        [_systemd_analyze(), "syscall-filter", group], capture_output=True, text=True, check=True, timeout=60
    )
    names = set(re.findall(r"^ {4}(@?[a-z_0-9-]+)$", said.stdout, re.MULTILINE))
    groups = {name for name in names if name.startswith("@")}
    return (names - groups).union(*map(_calls, groups))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_the_product_starts_with_the_system_calls_that_the_units_allow(path: Path, tmp_path: Path) -> None:
    require_strace()
    unit_text = path.read_text(encoding="utf-8")
    kept, taken = re.findall(r"^SystemCallFilter=(~?)(.*)$", unit_text, re.MULTILINE)
    assert (kept[0], taken[0]) == ("", "~")
    allowed = set().union(*map(_calls, kept[1].split())) - set().union(*map(_calls, taken[1].split()))
    error = re.search(r"^SystemCallErrorNumber=(\w+)$", unit_text, re.MULTILINE)
    refused = "signal=SYS" if error is None else f"error={error[1]}"
    known = ",".join(f"?{name}" for name in sorted(allowed))
    program = "import app; from credits_core.operations import leader; print('it goes on')"
    command = ["strace", "-f", "-qq", "-o", str(tmp_path / "calls"), "-e", f"trace=!{known}"]
    command += ["-e", f"inject=!{known}:{refused}", sys.executable, "-c", program]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"CREDITS_DATABASE_URL": f"sqlite:///{tmp_path}/credits.db"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert "it goes on" in done.stdout, f"{done.returncode}: {done.stderr[-1_000:]}"


def _nginx() -> str:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if os.environ.get("REQUIRE_NGINX"):
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    return program


def _site(folder: Path) -> str:
    """The configuration with a certificate that is there."""
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=credits.example.org",
    ]
    subprocess.run(
        [*made, "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")],
        check=True,
        capture_output=True,
    )
    text = (ROOT / "deploy" / "nginx" / "promptflow.conf").read_text(encoding="utf-8")
    text = re.sub(r"^    listen \[::\]:\d+( ssl)?;\n", "", text, count=2, flags=re.MULTILINE)  # a port of all machines
    return text.replace("/etc/letsencrypt/live/credits.example.org", str(folder))


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    program, text = _nginx(), _site(tmp_path)
    site = f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{text}\n}}\n"
    (tmp_path / "nginx.conf").write_text(site, encoding="utf-8")
    ran = subprocess.run(
        [program, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "[warn]" not in ran.stderr


def test_nginx_sends_the_api_alone_to_the_api(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = (
        _site(tmp_path)
        .replace("listen 80;", "listen 127.0.0.1:0;")
        .replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    )
    for name in ("api", "dashboard"):
        text = text.replace(f"proxy_pass http://promptflow_{name};", f"return 200 {name};")
    text = re.sub(r"server \{\n    listen 127\.0\.0\.1:0;.*?\n\}\n", "", text, flags=re.S)
    with _nginx_with(text, tmp_path):
        found = {path: _answer(port, path) for path in ("/", "/api", "/api/ready", "/api-console", "/apis")}
        assert _answer(port, "/metrics").startswith("<html>")
    assert found == {
        "/": "dashboard",
        "/api": "api",
        "/api/ready": "api",
        "/api-console": "dashboard",
        "/apis": "dashboard",
    }


def test_nginx_lets_certbot_renew_the_certificate_and_sends_all_else_to_https(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    (folder,) = re.findall(r"^certbot certonly --webroot -w (\S+) --deploy-hook 'systemctl reload nginx' ", told, re.M)
    text = _site(tmp_path)
    assert f"root {folder};" in text
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};").replace(f"root {folder};", f"root {tmp_path};")
    text = text.replace("listen 443 ssl;", f"listen unix:{tmp_path}/https ssl;")
    asked = tmp_path / ".well-known" / "acme-challenge" / "a-token"
    asked.parent.mkdir(parents=True)
    asked.write_text("the answer", encoding="utf-8")
    with _nginx_with(text, tmp_path):
        assert _answer(port, "/.well-known/acme-challenge/a-token") == "the answer"
        other = requests.get(f"http://127.0.0.1:{port}/history", timeout=10, allow_redirects=False)
    assert (other.status_code, other.headers["Location"]) == (301, "https://127.0.0.1/history")


@contextmanager
def _nginx_with(site: str, folder: Path) -> Iterator[None]:
    """nginx in the foreground with this site, until the block ends."""
    own = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in NGINX_FOLDERS)
    as_user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers could not read the folder
    head = f"daemon off;\n{as_user}pid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{\naccess_log off;\n{own}{site}}}\n", encoding="utf-8")
    command = [_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def _answer(port: int, path: str) -> str:
    for _ in range(100):
        with suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).text
        time.sleep(0.1)
    pytest.fail("nginx does not answer")


def test_every_setting_in_the_example_is_one_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    example = (ROOT / "deploy" / "credits.env").read_text(encoding="utf-8")
    named = re.findall(r"^(?:# )?(CREDITS_[A-Z_]+)=", example, re.MULTILINE)
    assert len(named) > 8
    for name in named:
        monkeypatch.setenv(name, "")
    assert settings.unknown_variables() == []


def _commands(text: str) -> list[str]:
    return [line for block in re.findall(r"```sh[^\n]*\n(.*?)```", text, re.S) for line in block.splitlines()]


def test_a_machine_is_set_up_in_less_than_twenty_commands() -> None:
    text = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    assert 10 < len(_commands(text[: text.index("## Watch it")])) <= MOST_COMMANDS


def test_every_command_is_one_that_the_machine_has() -> None:
    """A bare Debian has no sudo. What else it has, and what the first command installs, is here."""
    commands = _commands((ROOT / "docs" / "running.md").read_text(encoding="utf-8"))
    programs = {part.split()[0] for line in commands for part in line.split(" && ")}
    installed = {"git", "make", "certbot", "promtool"}
    assert (
        programs
        == {"apt-get", "useradd", "runuser", "cp", "install", "rm", "sed", "systemctl", "deploy/as"} | installed
    )
    assert all(
        f" {name} " in f"{commands[0]} " for name in ("git", "make", "nginx", "certbot", "postgresql", "prometheus")
    )


_TOLD_TO_RUN = (
    "docs/running.md",
    "docs/backups.md",
    "docs/runbook.md",
    "credits_core/operations/doctor.py",
    "credits_core/operations/doctor_backups.py",
)


@pytest.mark.parametrize("file", _TOLD_TO_RUN)
def test_every_command_that_an_operator_is_told_to_run_can_be_read(file: str) -> None:
    told = re.findall(r"python\s-m\scredits_core\s([^\n`\",|]+)", (ROOT / file).read_text(encoding="utf-8"))
    assert told
    for words in told:
        command, arguments = get_command(app), words.rstrip(".").split()
        while arguments and arguments[0] in getattr(command, "commands", {}):
            command = command.commands[arguments.pop(0)]  # type: ignore[attr-defined]
        command.make_context("credits_core", arguments)  # refuses what is missing or unknown


def test_a_command_runs_as_another_user_with_the_settings_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "credits.env").write_text(
        "# A remark\nCREDITS_DATABASE_URL=postgresql://promptflow@/promptflow?host=/run/postgresql\nCREDITS_DEMO=0\n"
        "CREDITS_SEAL_KEY_FILE=/a path/key\n"
    )
    for name, does in {
        "setpriv": 'echo "$@"; shift 3; exec "$@"',
        "id": 'echo "group of $2"',
    }.items():
        stands_in = tmp_path / name
        stands_in.write_text(f"#!/bin/sh\n{does}\n")
        stands_in.chmod(0o755)
    shown = "import os; print([os.environ['CREDITS_' + name] for name in ('DATABASE_URL', 'DEMO', 'SEAL_KEY_FILE')])"
    ran = subprocess.run(
        [ROOT / "deploy" / "as", "promptflow_owner", "python", "-c", shown],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "CREDITS_ENV_FILE": str(tmp_path / "credits.env")},
        capture_output=True,
        text=True,
        check=True,
    )
    arguments, found = ran.stdout.splitlines()
    # Nothing of the settings stands here: everybody can read the arguments of a process.
    assert arguments == (f"--reuid=promptflow_owner --regid=group of promptflow_owner --init-groups python -c {shown}")
    url = "postgresql://promptflow_owner@/promptflow?host=/run/postgresql"
    assert found == str([url, "0", "/a path/key"])
