"""Debian's Prometheus and its tools: where they are, and a server of the test's own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
_START_SECONDS = 60


def program(name: str) -> str:
    """The path of `prometheus`, `promtool` or `amtool`. Without it the test is skipped, or fails if it must not be."""
    found = shutil.which(name)
    if found is None:
        reason = f"no {name}: install Debian's packages prometheus and prometheus-alertmanager"
        if os.environ.get("REQUIRE_PROMETHEUS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def ran(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """What a tool said, and whether it was content."""
    return subprocess.run(
        [program(str(command[0])), *map(str, command[1:])], capture_output=True, text=True, check=False
    )


@contextmanager
def scraping(target: str, folder: Path) -> Iterator[str]:
    """The base URL of a Prometheus with the configuration of `deploy`, but for its target and a quicker pace."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target.removeprefix("http://")]
    del config["alerting"]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={folder / 'series'}",
                f"--web.listen-address={address}",
            ],
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(f"http://{address}", server, log)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(60)


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/-/ready", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"Prometheus did not start:\n{log.read_text()}")


def query(url: str, expression: str) -> list[dict[str, Any]]:
    """The series that an expression has now."""
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=30).json()
    assert answer["status"] == "success", (expression, answer)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found
