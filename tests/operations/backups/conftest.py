from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from credits_core.operations.backups import postgres_dump
from tests.support.backup_world import databases


@pytest.fixture
def leftovers(postgres_server_url: str) -> Iterator[None]:
    """Deletes what a restore keeps beside, and what a killed process left."""
    yield
    with postgres_dump.server_of(make_url(postgres_server_url)) as server:
        for mark in ("before", "restoring"):
            for name in databases(postgres_server_url, f"%\\_{mark}\\_%"):
                server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
