"""The API counts days in the time zone that is set, and does not start with one that does not exist."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from credits_core.api.resources import Resources
from credits_core.errors import InvalidRequest
from tests.support import world
from tests.support.api_world import api_over


@pytest.mark.parametrize(
    ("zone", "first_of_october", "first_of_november"), [("", [1, 2, 3], [4]), ("Europe/Berlin", [1, 2], [3, 4])]
)
def test_the_days_of_transactions_are_those_of_the_time_zone(
    engine: Engine, zone: str, first_of_october: list[int], first_of_november: list[int]
) -> None:
    moments = [(1, 9), (31, 22), (31, 23)]
    for number, (day, hour) in enumerate(moments, 1):
        world.add(engine, "ada", number, key=f"october-{number}", now=datetime(2026, 10, day, hour, tzinfo=UTC))
    world.add(engine, "ada", 4, key="november", now=datetime(2026, 11, 30, 22, tzinfo=UTC))
    with api_over(engine, CREDITS_TIME_ZONE=zone) as api:

        def entries(first: str, last: str) -> list[int]:
            found = api.get("/api/credits/transactions", user_id="ada", **{"from": first, "to": last})
            return sorted(one["amount_credits"] for one in found.json()["transactions"])

        assert entries("2026-10-01", "2026-10-31") == first_of_october
        assert entries("2026-11-01", "2026-11-30") == first_of_november
        (circulation,) = (
            line for line in api.client.get("/metrics").text.splitlines() if line.startswith("promptflow_circulating")
        )
        assert circulation == "promptflow_circulating_credits 10.0"


def test_an_unknown_time_zone_stops_the_start(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setenv("CREDITS_TIME_ZONE", "Mars/Olympus")
    with pytest.raises(InvalidRequest, match="CREDITS_TIME_ZONE: must be the name of a time zone, such as"):
        Resources(sqlite_url)
