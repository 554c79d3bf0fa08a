"""A batch is what single charges would have been: the same receipts, refusals and rows, in the same order."""

import itertools
from collections.abc import Sequence
from dataclasses import astuple, replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.errors import CreditsError
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import contradictions, rows
from tests.support.world import LARGEST_CREDITS, NOW

Asked = tuple[str, str | None, int, int, str, bool]
"""Who runs, whose prompt, the fee, the number of the key, the model, and whether a look-alike creator is meant."""
_PEOPLE = ["amy", "bob", "cid"]
_asked = st.tuples(
    st.sampled_from([*_PEOPLE, "stranger"]),
    st.sampled_from([None, *_PEOPLE, "dan", "DAN", "Amy", "1-Mar"]),
    st.one_of(st.integers(1, 2_000), st.just(LARGEST_CREDITS)),
    st.integers(0, 11),
    st.sampled_from(["claude-3-haiku"] * 8 + ["gpt-4", "unknown"]),
    st.booleans(),
)
_balances = st.tuples(*[st.sampled_from([0, 250, 300, 1_551, 4_000, LARGEST_CREDITS])] * 3)
_examples = itertools.count()
_on_one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _charge(asked: Asked, side: str) -> Charge:
    payer, creator, fee_credits, key, model_id, distinct = asked
    # After the name, because "1-Mar" is refused as a whole.
    run = ChargeRequest(
        f"{payer}{side}",
        "summarise",
        model_id,
        None if creator is None else creator if creator == "1-Mar" else f"{creator}{side}",
        0 if creator is None else fee_credits,
    )
    return Charge(run, f"key-{key}{side}", NOW, TESTER, distinct=distinct)


def _one_by_one(engine: Engine, charges: Sequence[Charge]) -> list[Receipt | CreditsError]:
    book, outcomes = world.price_book(), list[Receipt | CreditsError]()
    for charge in charges:
        try:
            outcomes += database.write(
                engine, lambda connection, charge=charge: actions.charge_prompts(connection, [charge], book=book)
            )
        except CreditsError as refusal:
            outcomes.append(refusal)
    return outcomes


def _together(engine: Engine, charges: Sequence[Charge]) -> list[Receipt | CreditsError]:
    book = world.price_book()
    return database.write(engine, lambda connection: actions.charge_prompts(connection, charges, book=book))


def _without(side: str, outcomes: Sequence[Receipt | CreditsError], entries: Sequence[int]) -> list[object]:
    """The outcomes with entries numbered by their order and names as they were asked for."""

    def plain(text: str) -> str:
        return text.replace(side, "")

    found: list[object] = []
    for outcome in outcomes:
        if isinstance(outcome, Receipt):
            numbered = replace(outcome, entry_id=entries.index(outcome.entry_id))
            found.append(plain(repr(astuple(numbered))))
        else:
            entry_id = getattr(outcome, "entry_id", None)
            said = plain(str(outcome)).replace(
                f"entry {entry_id}", f"entry {entries.index(entry_id) if entry_id else ''}"
            )
            found.append((type(outcome), said))
    return found


def _rows(engine: Engine, side: str) -> list[object]:
    """Everything that the ledger keeps of one side."""
    like = {"like": f"%{side}"}
    users = rows(
        engine,
        "SELECT user_id, balance_credits, created_at_us FROM user_credits WHERE user_id LIKE :like ORDER BY user_id",
        **like,
    )
    moved = rows(
        engine,
        "SELECT e.type, e.idempotency_key, e.request_hash = '', e.actor, t.position, t.account_id, t.type,"
        " t.amount_credits, t.balance_after_credits, t.created_at_us FROM credit_transactions t"
        " JOIN journal_entries e ON e.id = t.entry_id WHERE e.idempotency_key LIKE :like ORDER BY e.id, t.position",
        **like,
    )
    runs = rows(
        engine,
        "SELECT r.* FROM prompt_runs r JOIN journal_entries e ON e.id = r.entry_id"
        " WHERE e.idempotency_key LIKE :like ORDER BY e.id",
        **like,
    )
    return [str(row).replace(side, "") for row in (*users, *moved, *(row[1:] for row in runs))]


def _entries(engine: Engine, side: str) -> list[int]:
    found = rows(engine, "SELECT id FROM journal_entries WHERE idempotency_key LIKE :like ORDER BY id", like=f"%{side}")
    return [int(str(number)) for (number,) in found]


@_on_one_database
@given(balances=_balances, earlier=st.lists(_asked, max_size=3), asked=st.lists(_asked, max_size=20))
@example(  # bob spends what he has just earned from amy, and then has too little
    balances=(4_000, 0, 0),
    earlier=[],
    asked=[
        ("amy", "bob", 1_000, 0, "claude-3-haiku", False),
        ("bob", None, 0, 1, "claude-3-haiku", False),
        ("bob", None, 0, 2, "claude-3-haiku", False),
        ("bob", None, 0, 3, "claude-3-haiku", False),
    ],
)
@example(  # a look-alike of an account that the same batch opens
    balances=(4_000, 0, 0),
    earlier=[],
    asked=[
        ("amy", "dan", 5, 0, "claude-3-haiku", False),
        ("amy", "DAN", 5, 1, "claude-3-haiku", False),
        ("amy", "DAN", 5, 1, "claude-3-haiku", True),
    ],
)
def test_a_batch_is_what_single_charges_would_have_been(
    engine: Engine, balances: tuple[int, int, int], earlier: list[Asked], asked: list[Asked]
) -> None:
    number = next(_examples)
    single, batch = f".s{number}.", f".b{number}."
    for side in (single, batch):
        for person, balance_credits in zip(_PEOPLE, balances, strict=True):
            if balance_credits:
                world.add(engine, f"{person}{side}", balance_credits, key=f"fund-{person}{side}")
        _one_by_one(engine, [_charge(one, side) for one in earlier])

    singles = _one_by_one(engine, [_charge(one, single) for one in asked])
    together = _together(engine, [_charge(one, batch) for one in asked])

    assert _without(batch, together, _entries(engine, batch)) == _without(single, singles, _entries(engine, single))
    assert _rows(engine, batch) == _rows(engine, single)
    assert contradictions(engine) == []
