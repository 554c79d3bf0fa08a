"""A month whose runs fall off the cliffs of the specification's plan: a few runs, so that every sum can be written out.

The model is `openai/gpt-4o`, of which one input token costs 2.5 credits. The plan takes 20 % below 10,000 credits, 10 %
below 100,000 and 500 credits from there on.
"""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from credits_core.ledger.requests import ChargeRequest
from tests.support import world

FIRST = world.NOW
"""When everything but the old run happened."""
LONG_AGO = FIRST - timedelta(days=40)


def run_costing(
    user_id: str, cost_credits: int, *, creator_id: str | None = None, fee_credits: int = 0
) -> ChargeRequest:
    """A run with this inference cost, a multiple of 5."""
    assert cost_credits % 5 == 0
    return ChargeRequest(
        user_id,
        "summarise",
        "openai/gpt-4o",
        creator_id,
        fee_credits,
        input_tokens=cost_credits * 2 // 5,
        output_tokens=0,
    )


RUNS = {
    "ada 9,500": run_costing("ada", 9_500),  # 11,400, of which 400 are above the 11,000 of a run of 10,000
    "ada 9,500 again": run_costing("ada", 9_500),
    "ada 9,900": run_costing("ada", 9_900),  # 11,880: 880 above
    "ada 9,000": run_costing("ada", 9_000),  # 10,800
    "ada 50,000": run_costing("ada", 50_000),  # 55,000
    "bob 95,000": run_costing("bob", 95_000),  # 104,500: 4,000 above the 100,500 of a run of 100,000
    # A markup of 2,000, and the platform's share of the fee is 200: 1,800 less.
    "cara small fee": run_costing("cara", 20_000, creator_id="dan", fee_credits=1_000),
    # A markup of 2,000, and the platform's share of the fee is 4,000.
    "cara large fee": run_costing("cara", 20_000, creator_id="dan", fee_credits=20_000),
    # 200,500, of which a card fee of 2.9 % takes 5,814.5; 500 are the markup.
    "ada 200,000": run_costing("ada", 200_000),
}


def charge_all(engine: Engine, *, now: datetime = FIRST) -> dict[str, int]:
    """The month, with an older run and a refunded one on a cliff; the ids of the entries by name."""
    world.add(engine, "ada", 1_000_000, key="ada", now=LONG_AGO)
    ids = {"old": world.charge(engine, run_costing("ada", 9_500), key="old", now=LONG_AGO).entry_id}
    world.add(engine, "bob", 110_000, key="bob", now=now)
    world.add(engine, "cara", 100_000, key="cara", now=now)
    for name, request in RUNS.items():
        ids[name] = world.charge(engine, request, key=name.replace(" ", "-"), now=now).entry_id
    ids["refunded"] = world.charge(engine, run_costing("ada", 9_500), key="refunded", now=now).entry_id
    world.refund(engine, ids["refunded"], key="back", now=now)
    return ids
