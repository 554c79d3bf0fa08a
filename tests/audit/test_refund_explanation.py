"""Explaining a refund: who gave back or bore how much and why, under which rule, beside what was recorded."""

from sqlalchemy import Engine

from credits_core.audit.explanation import Explanation, explain
from credits_core.ledger.bearing import sentence
from credits_core.ledger.requests import ChargeRequest
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from tests.support import earlier_refunds, world
from tests.support.world import HAIKU_WITH_FEE, UNLOCK

Step = tuple[str, str, int | None, int | None]
NOOR = ChargeRequest("ada", "summarise", "openai/gpt-4o", "noor", 1_500, 1_020, 129)
"""A run of 5,340 credits: 1,020 × 2.5 + 129 × 10 = 3,840 inference + 1,500 fee, of which 1,200 are noor's."""


def explained(engine: Engine, entry_id: int) -> Explanation:
    with database.read(engine) as connection:
        found = explain(connection, entry_id, plans={})
    assert (found.differences, found.parts) == ((), None)
    assert found.verdict == "Recalculated from the stored inputs: matches the refund exactly."
    return found


def steps(found: Explanation) -> list[Step]:
    assert [step.number for step in found.steps] == list(range(1, len(found.steps) + 1))
    assert [step.result for step in found.steps] == [f"{step.recomputed_credits:,}" for step in found.steps]
    return [(step.label, step.arithmetic, step.recomputed_credits, step.recorded_credits) for step in found.steps]


def said(found: Explanation) -> str:
    assert found.borne is not None
    return sentence(found.borne, done=True)


def test_the_inference_cost_of_a_refunded_run_is_borne_by_the_platform(engine: Engine) -> None:
    world.add(engine, "ada", 6_000, key="add")
    run = world.charge(engine, NOOR, key="run").entry_id
    refund = world.refund(engine, run, key="refund").entry_id
    found = explained(engine, refund)
    assert (found.about, found.user_id, found.refunds_entry_id) == (f"Refund of entry {run}", "ada", run)
    assert said(found) == "ada got back 5,340 credits ($0.00534): noor gave back 1,200, PromptFlow bore 4,140."
    assert found.inputs == (
        ("Refunded entry", f"{run} (prompt run)"),
        ("Reason", "The answer was empty"),
        ("Rule", "The provider is paid whether or not a run is refunded, so PromptFlow bears the inference cost."),
    )
    assert steps(found) == [
        ("Creator's share", "noor gives back the share of 1,200", 1_200, 1_200),
        ("Platform revenue", "the platform gives back its own part of the charge", 300, 300),
        ("Inference cost", "the provider is paid all the same, so the platform bears it", 3_840, 3_840),
        ("Total", "what ada gets back: 1,200 + 300 + 3,840", 5_340, 5_340),
    ]
    assert [
        (one.account_id, one.type.value, one.recorded_credits, one.recomputed_credits, one.balance_after_credits)
        for one in found.transactions
    ] == [
        ("ada", "refund", 5_340, 5_340, 6_000),
        ("noor", "creator_payment", -1_200, -1_200, 0),
        ("platform:revenue", "platform_revenue", -300, -300, None),
        ("platform:refunded_inference", "refund", -3_840, -3_840, None),
    ]


def test_a_provider_that_gave_the_cost_back_is_named(engine: Engine) -> None:
    world.add(engine, "ada", 6_000, key="add")
    run = world.charge(engine, NOOR, key="run").entry_id
    found = explained(engine, world.refund(engine, run, provider_refunded=True, key="refund").entry_id)
    assert said(found) == (
        "ada got back 5,340 credits ($0.00534): noor gave back 1,200, PromptFlow bore 300, the provider gave back"
        " 3,840."
    )
    assert found.inputs[-1] == ("Rule", "The provider gave the inference cost back.")
    assert steps(found)[2:] == [
        ("Inference cost", "nothing for the platform to bear: the provider gave it back", 0, 0),
        ("Inference cost booked back", "booked back from what is owed to the provider", 3_840, 3_840),
        ("Total", "what ada gets back: 1,200 + 300 + 3,840", 5_340, 5_340),
    ]


def test_what_a_creator_has_spent_is_told(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="add")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
    world.charge(engine, world.run_by("ben"), key="ben")  # 300 of his 800
    found = explained(engine, world.refund(engine, run, key="refund").entry_id)
    assert said(found) == (
        "ada got back 1,251 credits ($0.001251): ben gave back 500 of 800 and came to owe 300, PromptFlow bore 451."
    )
    assert found.inputs[-1][1].startswith("What a creator has spent of the share is owed, and the next earnings pay it")
    assert steps(found) == [
        ("Creator's share", "ben gives back the share of 800, but at most the 500 that were left", 500, 500),
        ("Becomes owed", "ben owes what was spent: 800 − 500", 300, 300),
        ("Platform revenue", "the platform gives back its own part of the charge", 201, 201),
        ("Inference cost", "the provider is paid all the same, so the platform bears it", 250, 250),
        ("Total", "what ada gets back: 500 + 300 + 201 + 250", 1_251, 1_251),
    ]
    assert found.is_proved


def test_what_a_creator_owes_is_paid_first_by_the_next_share_and_told(engine: Engine) -> None:
    world.add(engine, "ada", 5_000, key="add")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
    world.charge(engine, world.run_by("ben"), key="ben")  # 300 of his 800
    world.refund(engine, run, key="refund")  # he owes 300
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    for entry_id, paid in ((unlocked.entry_id, 300), (world.charge(engine, HAIKU_WITH_FEE, key="next").entry_id, 0)):
        with database.read(engine) as connection:
            found = explain(connection, entry_id, plans=world.price_book().plans)
        assert found.is_proved
        assert [
            (one.account_id, one.recorded_credits, one.recomputed_credits)
            for one in found.transactions
            if one.type is TransactionType.TRANSFER
        ] == ([("ben", -paid, -paid), ("ben:debt", paid, paid)] if paid else [])


def test_what_the_platform_bore_under_the_earlier_rule_is_told(engine: Engine) -> None:
    world.add(engine, "ada", 1_251, key="add")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
    world.charge(engine, world.run_by("ben"), key="ben")  # 300 of his 800
    found = explained(engine, earlier_refunds.refund(engine, run, key="refund").entry_id)
    assert said(found) == (
        "ada got back 1,251 credits ($0.001251): ben gave back 500 of 800 (the rest was spent), PromptFlow bore 751."
    )
    assert found.inputs[-1][1].startswith("Earlier rule: PromptFlow bore what the creator had spent of the share.")
    assert found.is_proved
    assert steps(found) == [
        ("Creator's share", "ben gives back the share of 800, but at most the 500 that were left", 500, 500),
        ("Spent share", "the platform pays what ben had spent: 800 − 500", 300, 300),
        ("Platform revenue", "the platform gives back its own part of the charge", 201, 201),
        ("Inference cost", "the provider is paid all the same, so the platform bears it", 250, 250),
        ("Total", "what ada gets back: 500 + 300 + 201 + 250", 1_251, 1_251),
    ]


def test_refunds_of_an_unlock_and_of_added_credits_have_no_inference_cost(engine: Engine) -> None:
    added = world.add(engine, "ada", 2_000, key="add").entry_id
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    of_unlock = explained(engine, world.refund(engine, unlocked.entry_id, key="refund-1").entry_id)
    of_added = explained(engine, world.refund(engine, added, key="refund-2").entry_id)
    assert steps(of_unlock) == [
        ("Creator's share", "ben gives back the share of 800", 800, 800),
        ("Platform revenue", "the platform gives back its own part of the charge", 201, 201),
        ("Total", "what ada gets back: 800 + 201", 1_001, 1_001),
    ]
    assert steps(of_added) == [("Added credits", "ada gives back all of them", 2_000, 2_000)]
    assert said(of_added) == "ada gave back 2,000 credits ($0.002)."
    assert {found.inputs[-1] for found in (of_unlock, of_added)} == {("Rule", "No inference cost is involved.")}
