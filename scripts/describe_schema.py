"""Writes down the schema that the audit compares with: `python -m scripts.describe_schema`.

Run it after a migration is added or changed. It migrates a fresh database of each kind, on a PostgreSQL server that it
starts for that, and writes `credits_core/store/expected/`. A test fails when the files are not those of the migrations.
"""

import tempfile

from credits_core.store import database, described
from tests.support import postgres_server


def main() -> None:
    """Write both files."""
    with tempfile.TemporaryDirectory() as folder:
        _write(f"sqlite:///{folder}/credits.db")
    binaries = postgres_server.find_binaries()
    if binaries is None:
        print("PostgreSQL: skipped, no server binaries found")
        return
    with postgres_server.running_server(binaries) as url:
        _write(url)


def _write(url: str) -> None:
    with database.opened(url) as engine:
        database.migrate(engine)
        with database.read(engine) as connection:
            print(described.write_expected(connection).name)


if __name__ == "__main__":
    main()
