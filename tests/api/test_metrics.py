"""What the metrics say of charges, of the ledger, of jobs, and when nothing is known."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from credits_core.api.metrics import Metrics
from credits_core.api.resources import Resources
from credits_core.operations import jobs, lease, runs, watch_findings
from credits_core.operations.watch_decide import Found
from credits_core.operations.watch_rules import WatchRule
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from tests.support import world
from tests.support.api_world import Api, api_over

CHARGE = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
Found_ = dict[tuple[str, ...], float]


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine) as api:
        yield api


def parsed(text: str) -> Found_:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metrics(api: Api) -> Found_:
    return parsed(api.client.get("/metrics").text)


def test_charges_are_counted_by_what_became_of_them(api: Api) -> None:
    for key in ("one", "one", "two"):
        api.post("/api/credits/charge-prompt", CHARGE, key=key)
    api.post("/api/credits/charge-prompt", CHARGE | {"model_id": "gpt-4"})
    api.post("/api/credits/charge-prompt", CHARGE, as_="forged")  # turned away at the gate, so no charge
    found = metrics(api)
    outcomes = {key[1]: value for key, value in found.items() if key[0] == "promptflow_charges_total"}
    assert outcomes == {"charged": 2, "repeated": 1, "refused": 1, "unavailable": 0, "failed": 0, "left": 0}
    assert found["promptflow_waiting_charges",] == 0


def test_other_outcomes_of_a_charge_are_told_apart_by_their_status() -> None:
    counted = Metrics(lambda: 7)
    for status in (499, 500, 503, 503):
        counted.answered("POST", "/credits/charge-prompt", status=status, seconds=0.1, code="")
    counted.answered("GET", "/credits/charge-prompt", status=503, seconds=0.1, code="")
    found = parsed(counted.render_without_database().decode())
    outcomes = {key[1]: value for key, value in found.items() if key[0] == "promptflow_charges_total"}
    assert (outcomes["left"], outcomes["failed"], outcomes["unavailable"]) == (1, 1, 2)
    assert found["promptflow_waiting_charges",] == 7


def test_the_whole_ledger_is_summed_up_whoever_wrote_it(api: Api) -> None:
    run = world.charge(api.engine, world.HAIKU_WITH_FEE, key="run")  # 800 to ben
    world.charge(api.engine, world.run_by("ben"), key="spent")  # 300 of them
    world.refund(api.engine, run.entry_id, key="back")
    found = metrics(api)
    assert found["promptflow_received_credits", "creator_payment"] == 800
    assert found["promptflow_received_credits", "credit_purchase"] == 10_000
    assert found["promptflow_received_credits", "flow_unlock"] == 0
    assert found["promptflow_owed_credits",] == 300
    assert found["promptflow_creator_debts_credits",] == 0
    assert found["promptflow_database_readable",] == 1
    assert found["promptflow_seal_lag_seconds",] == 0  # sealed for this answer


def test_the_age_of_what_is_not_sealed_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", "/nowhere/key")
    world.add(api.engine, "ada", 5, key="later", now=datetime.now(UTC))
    age = (datetime.now(UTC) - world.NOW).total_seconds()
    assert age - 5 <= metrics(api)["promptflow_seal_lag_seconds",] <= age + 60


def test_jobs_and_their_leader_are_told(api: Api) -> None:
    before = metrics(api)
    assert before["promptflow_has_job_leader",] == 0
    assert math.isnan(before["promptflow_job_ok", "backup"])
    assert math.isnan(before["promptflow_last_clean_audit_age_seconds",])
    now = datetime.now(UTC)

    def ran(name: str, ended_at: datetime, *, is_ok: bool) -> None:
        def run(connection: object) -> None:
            number = runs.begin(connection, name, process="h", actor="jobs", now=ended_at)  # type: ignore[arg-type]
            runs.end(connection, number, is_ok=is_ok, message="", now=ended_at)  # type: ignore[arg-type]

        database.write(api.engine, run)

    ran("backup", now - timedelta(hours=3), is_ok=True)
    ran("backup", now - timedelta(hours=1), is_ok=False)
    database.write(api.engine, lambda connection: lease.take(connection, lease.LEADER, "h", seconds=600))
    after = metrics(api)
    assert after["promptflow_has_job_leader",] == 1
    assert after["promptflow_job_ok", "backup"] == 0
    assert after["promptflow_job_failures_in_a_row", "backup"] == 1
    assert 10_800 <= after["promptflow_job_good_age_seconds", "backup"] < 10_900
    assert 10_800 <= after["promptflow_job_good_age_seconds", "drill"] < 10_900  # since the first job
    assert 10_800 <= after["promptflow_last_clean_audit_age_seconds",] < 10_900


def test_findings_that_wait_are_counted(api: Api) -> None:
    found = Found(WatchRule.SPENDING, "ada", 1, {"spent_credits": 2, "largest_day_credits": 1})
    database.write(api.engine, lambda connection: watch_findings.keep(connection, found, 7, now=world.NOW))
    assert metrics(api)["promptflow_findings_waiting",] == 1


def test_every_label_has_its_values_from_a_closed_list(api: Api) -> None:
    found = metrics(api)
    assert {key[1] for key in found if key[0] == "promptflow_received_credits"} == {
        one.value for one in TransactionType
    }
    for name in ("ok", "good_age_seconds", "failures_in_a_row"):
        assert {key[1] for key in found if key[0] == f"promptflow_job_{name}"} == set(jobs.NAMES)


def test_without_the_database_nothing_that_it_knows_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics(api)["promptflow_circulating_credits",] == 10_000

    async def no_answer(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr(Resources, "read", no_answer)
    found = metrics(api)
    of_state = {key: value for key, value in found.items() if "_total" not in key[0] and "_created" not in key[0]}
    known = {key[0] for key, value in of_state.items() if not math.isnan(value) and "_duration_" not in key[0]}
    assert known == {"promptflow_database_readable", "promptflow_waiting_charges"}
    assert found["promptflow_database_readable",] == 0
