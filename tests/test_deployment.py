"""The whole deployment on loopback, from the files of `deploy/`: an alert fires after a planted fault, and resolves.

nginx, the dashboard, the API, PostgreSQL, Prometheus and Alertmanager run as `docs/running.md` says, but for their
ports, their folders and a quicker pace.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from sqlalchemy import Engine, text

from credits_core.access import keys
from credits_core.store import database
from credits_core.values.roles import Role
from tests.browser.test_base_path import NGINX_FOLDERS, require_nginx
from tests.support import plain_sql, world
from tests.support.actors import TESTER
from tests.support.prometheus import DEPLOY, program

ROOT = DEPLOY.parent
_SECONDS = 120
_HOST = "credits.example.org"


def free_ports(count: int) -> list[int]:
    with ExitStack() as open_:
        probes = [open_.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def is_well(answer: requests.Response) -> bool:
    if not answer.ok:
        raise requests.RequestException(f"{answer.status_code}: {answer.text[:200]}")
    return True


def waited_for(what: str, is_so: Callable[[], bool], log: Path) -> None:
    until, last = time.monotonic() + _SECONDS, ""
    while time.monotonic() < until:
        try:
            if is_so():
                return
        except requests.RequestException as error:
            last = str(error)
        time.sleep(0.2)
    logs = "\n".join(f"== {one.name}\n{one.read_text(errors='replace')[-2_000:]}" for one in log.glob("*.log"))
    pytest.fail(f"not in {_SECONDS} s: {what}. {last}\n{logs}")


@contextmanager
def started(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def command_of(unit: str, ports: Mapping[str, int]) -> list[str]:
    """What the unit starts, with the Python of these tests and a free port."""
    text_of = (DEPLOY / "systemd" / f"promptflow-{unit}.service").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", text_of, re.MULTILINE)
    for known, port in ports.items():
        line = line.replace(known, str(port))
    program_, *arguments = shlex.split(line)
    binary = Path(sys.executable).parent / Path(program_).name
    return [str(binary), *arguments]


def nginx_file(folder: Path, ports: Mapping[str, int]) -> Path:
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={_HOST}"]
    certificate += ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([*certificate, *files], check=True, capture_output=True)
    site = (DEPLOY / "nginx" / "promptflow.conf").read_text(encoding="utf-8")
    site = site.replace(f"/etc/letsencrypt/live/{_HOST}", str(folder))
    for known in ("8501", "8502"):
        site = site.replace(known, str(ports[known]))
    site = re.sub(r"^    listen \[::\]:.*\n", "", site, flags=re.MULTILINE)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{ports['80']};")
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{ports['443']} ssl;")
    own = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in NGINX_FOLDERS)
    head = f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
    path = folder / "nginx.conf"
    path.write_text(f"{head}http {{\naccess_log off;\n{own}{site}}}\n", encoding="utf-8")
    return path


def prometheus_file(folder: Path, ports: Mapping[str, int]) -> Path:
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    text_ = yaml.safe_dump(config)
    for known in ("8501", "8502", "9093"):
        text_ = text_.replace(f":{known}", f":{ports[known]}")
    path = folder / "prometheus.yml"
    path.write_text(text_, encoding="utf-8")
    return path


@pytest.fixture
def ports() -> dict[str, int]:
    names = ("80", "443", "8501", "8502", "9090", "9093")
    return dict(zip(names, free_ports(len(names)), strict=True))


@pytest.mark.long
@pytest.mark.as_owner
def test_an_alert_of_the_whole_deployment_fires_and_resolves(
    postgres_url: str, tmp_path: Path, ports: dict[str, int]
) -> None:
    engine = database.create_engine_for(postgres_url)
    world.add(engine, "ada", 1_000_000, key="a")
    key, now = keys.new_key(), datetime.now(UTC)
    database.write(
        engine, lambda one: keys.create_key(one, "marketplace", key=key, role=Role.ADMIN, now=now, actor=TESTER)
    )
    environment = {
        "CREDITS_DATABASE_URL": postgres_url,
        "CREDITS_DEMO": "0",
        "CREDITS_ALLOWED_HOSTS": f"{_HOST},127.0.0.1",
        "CREDITS_BACKUP_URL": str(tmp_path / "backups"),
    }
    alertmanager = [
        program("prometheus-alertmanager"),
        f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'alerts'}",
        f"--web.listen-address=127.0.0.1:{ports['9093']}",
        "--cluster.listen-address=",
    ]
    prometheus = [
        program("prometheus"),
        f"--config.file={prometheus_file(tmp_path, ports)}",
        f"--storage.tsdb.path={tmp_path / 'series'}",
        f"--web.listen-address=127.0.0.1:{ports['9090']}",
    ]
    nginx = [require_nginx(), "-p", str(tmp_path), "-c", str(nginx_file(tmp_path, ports))]
    https = f"https://127.0.0.1:{ports['443']}"
    outside = requests.Session()
    outside.headers["Host"] = _HOST
    outside.trust_env, outside.verify = False, str(tmp_path / "fullchain.pem")

    def told(name: str) -> bool:
        found = requests.get(f"http://127.0.0.1:{ports['9093']}/api/v2/alerts", timeout=10).json()
        return name in {alert["labels"]["alertname"] for alert in found}

    def verified() -> int:
        ran = [sys.executable, "-m", "credits_core", "verify"]
        return subprocess.run(ran, cwd=ROOT, env=os.environ | environment, capture_output=True, check=False).returncode

    with ExitStack() as running:
        for name, command in {
            "dashboard": command_of("dashboard", ports),
            "api": command_of("api", ports),
            "nginx": nginx,
            "alertmanager": alertmanager,
            "prometheus": prometheus,
        }.items():
            running.enter_context(started(name, command, tmp_path, environment))
        waited_for("the API", lambda: is_well(outside.get(f"{https}/api/ready", timeout=10)), tmp_path)
        waited_for("the dashboard", lambda: is_well(outside.get(f"{https}/_stcore/health", timeout=10)), tmp_path)
        balance = outside.get(
            f"{https}/api/credits/balance",
            params={"user_id": "ada"},
            headers={"Authorization": f"Bearer {key}"},
            timeout=10,
        )
        assert balance.json()["balance_credits"] == 1_000_000
        assert outside.get(f"{https}/metrics", timeout=10).status_code == 404
        assert outside.get(f"{https}/api/ready", headers={"Host": "elsewhere"}, timeout=10).status_code != 200

        assert verified() == 0
        assert not told("IntegrityBroken")
        plant(engine, "balance_credits + 1")
        assert verified() == 1
        waited_for("the alert", lambda: told("IntegrityBroken"), tmp_path)
        plant(engine, "balance_credits - 1")
        assert verified() == 0
        waited_for("the end of the alert", lambda: not told("IntegrityBroken"), tmp_path)
        assert not told("ProductDown")
    engine.dispose()


def plant(engine: Engine, changed: str) -> None:
    """Change a balance behind the ledger's back, or take that back."""
    with plain_sql.unguarded(engine) as connection:
        connection.execute(text(f"UPDATE user_credits SET balance_credits = {changed} WHERE user_id = 'ada'"))
    assert plain_sql.rows(engine, "SELECT COUNT(*) FROM user_credits WHERE user_id = 'ada'") == [(1,)]
