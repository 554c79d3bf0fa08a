"""A Python that has imported the command line already: each `python -m credits_core …` is a fork of it.

A test that walks through dozens of commands does not import the product dozens of times. Whatever else is asked of
`python` is done by a new one. The commands have files, folder, environment and exit code of their own, as always.
"""

import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MODULE = "credits_core"
_LARGEST_REQUEST = 1 << 20
_CLIENT = """
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
request = json.dumps({"arguments": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
socket.send_fds(server, [request], [0, 1, 2])
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(16)))
"""


@contextmanager
def warm_python(folder: Path) -> Iterator[str]:
    """A shell function `python`, to put before commands. The environment must name a Python as `PYTHON`."""
    address = folder / "warm-python"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        server = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=Path(__file__).parents[2], stdin=listening.fileno()
        )
    try:
        yield (
            f'python() {{ if [ "$1 $2" = "-m {_MODULE}" ]; '
            f'then "$PYTHON" -I -S -c \'{_CLIENT}\' {address} "${{@:3}}"; else "$PYTHON" "$@"; fi; }}'
        )
    finally:
        server.kill()
        server.wait()


def _serve() -> None:
    for module in pkgutil.walk_packages(importlib.import_module(f"{_MODULE}.cli").__path__, f"{_MODULE}.cli."):
        importlib.import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets the forks
    listening = socket.socket(fileno=0)
    while True:
        asking, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _answer(asking)
        asking.close()


def _answer(asking: socket.socket) -> None:
    content, files, _, _ = socket.recv_fds(asking, _LARGEST_REQUEST, 3)
    while more := asking.recv(_LARGEST_REQUEST):
        content += more
    if (command := os.fork()) == 0:
        _carry_out(json.loads(content), files)
    _, status = os.waitpid(command, 0)
    asking.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _carry_out(request: dict[str, object], files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv = [_MODULE, *request["arguments"]]  # type: ignore[misc]
    code: object = 1
    try:
        runpy.run_module(_MODULE, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
