"""The API keeps what its OpenAPI document says, whatever it is sent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.audit import invariants
from credits_core.values.roles import Role
from tests.support import demo, live_api

_EXAMPLES, _EXAMPLES_IN_FULL = 10, 60


@pytest.mark.long
def test_no_request_makes_the_api_break_its_document(sqlite_engine: Engine, tmp_path: Path, full: bool) -> None:
    examples = _EXAMPLES_IN_FULL if full else _EXAMPLES
    book = settings.load_price_book()
    demo.build(sqlite_engine, book)
    with live_api.serving(sqlite_engine, tmp_path / "api.log") as url:
        key = live_api.make_key(sqlite_engine, Role.ADMIN)
        ran = subprocess.run(
            [
                *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
                *("--config-file", str(live_api.ROOT / "tests" / "api" / "schemathesis.toml")),
                *(
                    "run",
                    f"{url}/api/openapi.json",
                    "--checks",
                    "all",
                    "--phases",
                    "examples,coverage,fuzzing,stateful",
                ),
                *("--max-examples", str(examples), "--seed", "1", "--generation-database", "none", "--no-color"),
                *("-H", f"Authorization: Bearer {key}"),
            ],
            cwd=tmp_path,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )
    log = (tmp_path / "api.log").read_text()
    assert ran.returncode == 0, f"{ran.stdout[-8_000:]}\n{ran.stderr[-2_000:]}\n{log[-4_000:]}"
    assert "Tested: 25" in ran.stdout
    assert "Traceback" not in log
    assert [finding for finding in invariants.check(sqlite_engine, book.plans) if not finding.ok] == []
