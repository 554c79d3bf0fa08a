"""Tests that pass only the second time are let through one by one, and not in numbers."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UNSURE = """
import pytest

TRIED = set()

@pytest.mark.flaky(reruns=1)
@pytest.mark.parametrize("number", range({tests}))
def test_one(number):
    is_first = number not in TRIED
    TRIED.add(number)
    assert not is_first
"""


@pytest.mark.parametrize(("tests", "workers", "code"), [(2, 0, 0), (3, 0, 1), (3, 2, 1)])
def test_a_run_fails_when_more_than_two_tests_needed_a_second_try(
    tmp_path: Path, tests: int, workers: int, code: int
) -> None:
    (tmp_path / "test_unsure.py").write_text(UNSURE.format(tests=tests), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "tests.support.second_tries", "-c"]
    ran = subprocess.run(
        [*command, "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{tests} passed, {tests} rerun" in ran.stdout
    assert ran.returncode == code
    assert ("more than 2 tests needed a second try" in ran.stdout) == bool(code)
