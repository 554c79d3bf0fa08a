"""Laws of the ledger, for whatever users do: it adds up, a retry changes nothing, and a refund undoes."""

import itertools
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.errors import CreditsError
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from tests.support import world
from tests.support.plain_sql import contradictions, every_row, rows, scalar

Action = tuple[str, str, str, int]
"""What is done, by whom, with whose prompt or flow, and an amount or the number of an earlier action."""
_user = st.sampled_from(["amy", "Bob", "cid"])
_kind = st.sampled_from(["add", "charge", "unlock", "refund", "part", "refund by the provider", "again"])
_action = st.tuples(_kind, _user, _user, st.integers(0, 3_000))
_examples = itertools.count()
_AMOUNTS = 10_000
"""A refund in parts is asked with the number of its entry times this, and how much."""
# One database serves all examples: each has users and keys of its own.
_on_one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _carry_out(engine: Engine, action: Action, key: str) -> Receipt | None:
    kind, user, creator, number = action
    if kind == "add":
        return world.add(engine, user, number, key=key)
    if kind == "charge":
        run = ChargeRequest(user, "summarise", "claude-3-haiku", creator if number else None, number)
        return world.charge(engine, run, key=key)
    if kind == "unlock":
        return world.unlock(engine, UnlockRequest(user, f"flow-of-{creator}", creator, number), key=key).receipt
    if kind == "part":
        entry_id, amount_credits = divmod(number, _AMOUNTS)
        return world.refund(engine, entry_id, amount_credits=amount_credits, key=key)
    return world.refund(engine, number, provider_refunded=kind == "refund by the provider", key=key)


@_on_one_database
@given(actions=st.lists(_action, max_size=25))
def test_whatever_users_do_the_ledger_adds_up_and_retries_change_nothing(engine: Engine, actions: list[Action]) -> None:
    example = f"x{next(_examples)}-"
    done: list[tuple[Action, Receipt]] = []
    for place, (kind, user, creator, number) in enumerate(actions):
        before = every_row(engine)
        if kind == "again" and done:
            action, receipt = done[number % len(done)]
            again = _carry_out(engine, action, receipt.idempotency_key)
            refunded_by = scalar(
                engine, "SELECT MAX(id) FROM journal_entries WHERE refunds_entry_id = :id", id=receipt.entry_id
            )
            refunded = scalar(
                engine,
                "SELECT COALESCE(SUM(t.amount_credits), 0) FROM credit_transactions t JOIN journal_entries e"
                " ON e.id = t.entry_id LEFT JOIN partial_refunds p ON p.id = e.id WHERE t.position = 0"
                " AND (e.refunds_entry_id = :id OR p.original_id = :id)",
                id=receipt.entry_id,
            )
            assert again == replace(
                receipt,
                replayed=True,
                refunded_by_entry_id=refunded_by,
                refunded_credits=abs(int(str(refunded))),
            )
            assert every_row(engine) == before
            continue
        if kind.startswith("refund") and done:
            number = done[number % len(done)][1].entry_id
        elif kind == "part" and done:
            number = done[number % len(done)][1].entry_id * _AMOUNTS + number
        action = (kind, example + user, example + creator, number)
        try:
            outcome = _carry_out(engine, action, f"{example}{place}")
        except CreditsError:
            assert every_row(engine) == before
        else:
            if outcome is not None:
                done.append((action, outcome))
    assert contradictions(engine) == []


@_on_one_database
@given(fee_credits=st.integers(0, 10_000), own=st.booleans(), is_run=st.booleans(), provider_refunded=st.booleans())
def test_a_refund_of_what_nobody_has_spent_undoes_all_but_an_inference_cost_that_the_provider_keeps(
    engine: Engine, fee_credits: int, own: bool, is_run: bool, provider_refunded: bool
) -> None:
    def sums() -> list[tuple[object, ...]]:
        return rows(engine, "SELECT account_id, SUM(amount_credits) FROM credit_transactions GROUP BY 1 ORDER BY 1")

    example = f"y{next(_examples)}"
    creator = f"{example}-ada" if own and is_run else f"{example}-ben"
    for user_id in {f"{example}-ada", creator}:
        world.add(engine, user_id, 20_000, key=f"{user_id}-fund")
    before = sums()
    # A run may be without a fee, an unlock may not.
    number, kind = (fee_credits, "charge") if is_run else (fee_credits + 1, "unlock")

    receipt = _carry_out(engine, (kind, f"{example}-ada", creator, number), f"{example}-action")
    assert receipt is not None
    assert sums() != before
    charged = dict(sums())
    world.refund(engine, receipt.entry_id, provider_refunded=is_run and provider_refunded, key=f"{example}-refund")

    due = dict(before)
    if is_run and not provider_refunded:  # 250, on claude-3-haiku
        owed, borne = "platform:inference", "platform:refunded_inference"
        due |= {owed: charged[owed], borne: int(str(due.get(borne, 0))) - 250}
    # An account that appeared in between holds nothing again.
    assert {account: credits for account, credits in sums() if credits} == {
        account: credits for account, credits in due.items() if credits
    }
