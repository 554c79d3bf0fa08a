"""A throwaway PostgreSQL server from the machine's own binaries, on a temporary folder and a free loopback port."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support import memory

_START_SECONDS = 300
_STOP_SECONDS = 120
_DICTIONARY_ORDER_FROM = 15
_SETTINGS = ("listen_addresses=127.0.0.1", "max_connections=150")
# Nothing of a test server is worth keeping, so it never waits for the disk.
_HASTY_SETTINGS = (
    *("fsync=off", "full_page_writes=off", "synchronous_commit=off"),
    *("wal_level=minimal", "max_wal_senders=0", "max_wal_size=128MB", "min_wal_size=32MB", "jit=off"),
)


def find_binaries() -> Path | None:
    """The folder with the newest `postgres` and `initdb` of this machine, or None. Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name.zfill(3))
    if pg_config := shutil.which("pg_config"):
        asked = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        folders.insert(0, Path(asked.stdout.strip()))
    if initdb := shutil.which("initdb"):
        folders.insert(0, Path(initdb).resolve().parent)
    complete = [folder for folder in folders if (folder / "postgres").is_file() and (folder / "initdb").is_file()]
    return complete[-1] if complete else None


@contextmanager
def running_server(binaries: Path, *, durable: bool = False) -> Iterator[str]:
    """The URL of a server that runs until the block ends. Its superuser is `postgres`, without a password.

    A durable one keeps what it has committed when the power fails, as a server in use does; for benchmarks. Another one
    keeps it when a process dies, and lives in memory where it can.
    """
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="credits-postgres-", dir=None if durable else memory.folder()))
    try:
        if user is not None:
            shutil.chown(folder, user)
        _create_cluster(binaries, folder, user)
        server, port = _start(binaries, folder, user, () if durable else _HASTY_SETTINGS)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder)


def _unprivileged_user() -> str | None:
    # PostgreSQL refuses to run as root.
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd  # not on Windows

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _create_cluster(binaries: Path, folder: Path, user: str | None) -> None:
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version.split()[2].split(".")[0])
    # Text sorts as in a dictionary (ada, Ben), as on most servers, and not by code point (Ben, ada), as in Python:
    # code that takes the two orders for one must fail here.
    order = ("--locale-provider=icu", "--icu-locale=en-US") if major >= _DICTIONARY_ORDER_FROM else ()
    access = ("--username=postgres", "--auth=trust")
    text_settings = ("--encoding=UTF8", "--locale=C", *order)
    subprocess.run(
        [binaries / "initdb", f"--pgdata={folder / 'cluster'}", "--no-sync", *access, *text_settings],
        user=user,
        cwd=folder,
        check=True,
        capture_output=True,
    )


def _start(
    binaries: Path, folder: Path, user: str | None, more_settings: Sequence[str]
) -> tuple["subprocess.Popen[bytes]", int]:
    settings = [f"--{setting}" for setting in (*_SETTINGS, *more_settings, f"unix_socket_directories={folder}")]
    problem = ""
    for _ in range(3):  # another process may take the free port before the server does
        port = _free_port()
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "cluster", "-p", str(port), *settings],
                user=user,
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the server in order
            )
        try:
            _wait_until_ready(server, port)
        except BaseException:
            _stop(server)
            raise
        if server.poll() is None:
            return server, port
        problem = (folder / "log").read_text()
    raise RuntimeError(f"PostgreSQL did not start:\n{problem}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while server.poll() is None:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=30).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _stop(server: "subprocess.Popen[bytes]") -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGINT)  # the fast shutdown
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
