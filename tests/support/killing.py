"""A program that is killed at one of the system calls by which it writes. Needs strace."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CALLS = "pwrite64,fdatasync,fsync,flock,sendto"


def require_strace() -> None:
    """Skip the test where strace is not installed, or fail it when `REQUIRE_STRACE=1`."""
    if shutil.which("strace") is None:
        reason = "no strace: install Debian's strace package"
        if os.environ.get("REQUIRE_STRACE") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


class Killed:
    """A Python program. Its first run is whole, and says which calls there are; others may be killed at one of them.

    Without strace the test is skipped, or fails when `REQUIRE_STRACE=1`.
    """

    def __init__(self, program: str, folder: Path) -> None:
        """Nothing runs yet. The folder gets the record of the calls."""
        require_strace()
        self._program, self._record = program, folder / "calls"
        self.calls: list[str] = []

    def run(self, *arguments: str, at: int | None = None) -> str:
        """What the program prints, with these arguments; killed `at` a call, or whole."""
        options = []
        if at is not None:
            of_its_kind = self.calls[: at + 1].count(self.calls[at])
            options = ["-e", f"inject={self.calls[at]}:signal=SIGKILL:when={of_its_kind}"]
        command = ["strace", "-f", "-qq", "-o", str(self._record), "-e", f"trace={_CALLS}", *options]
        done = subprocess.run(
            [*command, sys.executable, "-c", self._program, *arguments], capture_output=True, text=True, timeout=300
        )
        if at is None:
            self.calls = re.findall(r"^\d+ +(\w+)\(", self._record.read_text(), re.MULTILINE)
        return done.stdout
