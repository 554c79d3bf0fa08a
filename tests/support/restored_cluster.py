"""A PostgreSQL cluster whose write-ahead log pgBackRest keeps, set up by the files in `deploy/pgbackrest`."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOYED = ROOT / "deploy" / "pgbackrest"
_SECONDS = 120


class Cluster:
    """A cluster in a folder of its own, and the commands of pgBackRest for it."""

    def __init__(self, binaries: Path, folder: Path, user: str | None) -> None:
        self.folder = folder
        self._binaries, self._user = binaries, user
        self._server: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._environment = os.environ | {"PGBACKREST_CONFIG": str(folder / "pgbackrest.conf")}

    def create(self) -> None:
        """A new cluster, with our settings for PostgreSQL and for pgBackRest; only paths and the port are others."""
        access = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        self.call(str(self._binaries / "initdb"), f"--pgdata={self.folder / 'cluster'}", "--no-sync", *access)
        with (self.folder / "cluster" / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write((DEPLOYED / "postgresql.conf").read_text(encoding="utf-8"))
            settings.write(f"\nunix_socket_directories = '{self.folder}'\nlisten_addresses = '127.0.0.1'\n")
        configured = (DEPLOYED / "pgbackrest.conf").read_text(encoding="utf-8")
        for theirs, ours in {
            "=/var/lib/pgbackrest\n": f"={self.folder / 'repository'}\n",
            "=/var/log/pgbackrest\n": f"={self.folder / 'logs'}\n",
            "=/tmp/pgbackrest\n": f"={self.folder / 'locks'}\n",
            "=/var/lib/postgresql/15/main\n": f"={self.folder / 'cluster'}\n",
            "=5432\n": f"={self._port}\npg1-socket-path={self.folder}\npg1-user=postgres\n",
        }.items():
            assert configured.count(theirs) == 1, theirs
            configured = configured.replace(theirs, ours)
        (self.folder / "pgbackrest.conf").write_text(configured, encoding="utf-8")
        for name in ("repository", "logs", "locks"):
            self.call("mkdir", str(self.folder / name))

    def start(self) -> None:
        """Start the server, and wait until it answers, no longer in recovery."""
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.folder / "cluster", "-p", str(self._port)],
                user=self._user,
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + _SECONDS
        while True:
            try:
                with psycopg.connect(self.url, connect_timeout=30) as connection:
                    if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                        return
            except psycopg.OperationalError:
                pass
            if self._server.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server, in order."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(_SECONDS)

    def pgbackrest(self, *arguments: str) -> str:
        """What a command of pgBackRest says."""
        return self.call("pgbackrest", "--stanza=credits", *arguments)

    def call(self, *command: str) -> str:
        done = subprocess.run(
            command,
            user=self._user,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def cluster(binaries: Path) -> Iterator[Cluster]:
    """A cluster that does not run yet; everything of it is deleted at the end."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    user = "postgres" if is_root else None
    folder = Path(tempfile.mkdtemp(prefix="credits-pgbackrest-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        found = Cluster(binaries, folder, user)
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder)
