from dataclasses import replace
from functools import partial
from itertools import count

import pytest
from sqlalchemy import Engine

from credits_core.bulk import batch as batch_module
from credits_core.bulk import pieces
from credits_core.bulk.batch import Batch, Summary, batch_total, charge_piece
from credits_core.bulk.refusals import ShownPriceChanged
from credits_core.errors import InvalidRequest
from credits_core.lab.scenario.workload import TokenQuantiles, Workload
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import plain_sql, world
from tests.support.actors import TESTER

TRACE = Workload("trace", 100, TokenQuantiles(p50=10, p95=20, max=30), TokenQuantiles(p50=1, p95=2, max=3))
DRAWN = replace(world.TOKENS, input_tokens=None, output_tokens=None)


def charge(engine: Engine, batch: Batch, before: Summary | None = None, *, key: str = "k") -> Summary:
    return database.write(
        engine,
        lambda connection: charge_piece(
            connection,
            batch,
            before=before or Summary(),
            book=world.price_book(),
            key=key,
            now=world.NOW,
            actor=TESTER,
        ),
    )


def charge_all(engine: Engine, batch: Batch) -> Summary:
    summary = Summary()
    while summary.runs < batch.runs:
        summary = charge(engine, batch, summary)
    return summary


def charged_keys(engine: Engine) -> list[object]:
    found = plain_sql.rows(engine, "SELECT idempotency_key FROM journal_entries WHERE type = 'prompt_run' ORDER BY id")
    return [key for (key,) in found]


def test_a_piece_is_charged_only_under_the_plan_and_the_list_that_were_shown(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="a")
    charge_piece_now = partial(
        charge_piece, batch=Batch(world.HAIKU, 2), before=Summary(), key="k", now=world.NOW, actor=TESTER
    )
    before = plain_sql.every_row(engine)
    for shown in (("plan-1", 1), ("plan-2", None)):
        with pytest.raises(ShownPriceChanged):
            database.write(engine, partial(charge_piece_now, book=world.price_book(), shown=shown))
    assert plain_sql.every_row(engine) == before
    summary = database.write(engine, partial(charge_piece_now, book=world.price_book(), shown=("plan-1", None)))
    assert (summary.charged, summary.total_credits) == (2, 600)


def test_a_piece_of_a_batch_has_what_fits_its_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 900, key="a")
    clock = count(0, 10_000_000).__next__  # each run takes 10 ms
    monkeypatch.setattr(batch_module, "for_a_while", partial(pieces.for_a_while, clock=clock))
    batch, summaries = Batch(world.HAIKU, 7), [Summary()]
    for _ in range(4):
        summaries.append(charge(engine, batch, summaries[-1]))
    # Three runs can be paid for; a refused one takes its time as well.
    assert [(summary.charged, summary.refused_count, summary.runs) for summary in summaries] == [
        (0, 0, 0),
        (2, 0, 2),
        (3, 1, 4),
        (3, 3, 6),
        (3, 4, 7),
    ]
    assert charge(engine, batch, summaries[-1]) == summaries[-1]
    assert charged_keys(engine) == ["k:1", "k:2", "k:3"]


def test_a_piece_of_a_batch_has_a_hundred_runs_at_most(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 1_000_000, key="a")
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 10**15)
    first = charge(engine, Batch(world.HAIKU, 101))
    assert (first.charged, first.total_credits, first.balance_after_credits) == (100, 30_000, 970_000)
    second = charge(engine, Batch(world.HAIKU, 101), first)
    assert (second.charged, second.balance_before_credits, second.balance_after_credits) == (101, 1_000_000, 969_700)


def test_the_total_of_equal_runs_is_known_beforehand(book: PriceBook) -> None:
    assert batch_total(Batch(world.HAIKU_WITH_FEE, 10_000), book, now=world.NOW) == 10_000 * 1_251


def test_drawn_tokens_lie_in_the_trace_and_are_the_same_each_time() -> None:
    batch = Batch(DRAWN, 500, TRACE)
    counts = [(request.input_tokens, request.output_tokens) for request in map(batch.request_of, range(1, 501))]
    assert counts == [
        (request.input_tokens, request.output_tokens)
        for request in map(Batch(DRAWN, 500, TRACE).request_of, range(1, 501))
    ]
    assert {
        1 <= (input_tokens or 0) <= 30 and 1 <= (output_tokens or 0) <= 3 for input_tokens, output_tokens in counts
    } == {True}
    assert len(set(counts)) > 20
    assert 200 < sum((input_tokens or 0) <= 10 for input_tokens, _ in counts) < 300


def test_what_a_drawn_batch_costs_is_what_was_shown_beforehand(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 1_000_000, key="a")
    batch = Batch(DRAWN, 130, TRACE)
    summary = charge_all(engine, batch)
    assert (summary.charged, summary.refused_count) == (130, 0)
    assert summary.total_credits == batch_total(batch, book, now=world.NOW)
    assert plain_sql.balance(engine, "ada") == 1_000_000 - summary.total_credits
    paid = "SELECT MIN(total_credits), MAX(total_credits), SUM(total_credits) FROM prompt_runs"
    assert plain_sql.rows(engine, paid) == [(summary.cheapest_credits, summary.dearest_credits, summary.total_credits)]


def test_the_summary_says_who_received_what(engine: Engine) -> None:
    world.add(engine, "ada", 500_000, key="a")
    summary = charge_all(engine, Batch(world.HAIKU_WITH_FEE, 150))
    assert summary == Summary(
        charged=150,
        total_credits=150 * 1_251,
        inference_credits=150 * 250,
        creators_credits=150 * 800,
        platform_credits=150 * 201,
        cheapest_credits=1_251,
        dearest_credits=1_251,
        balance_before_credits=500_000,
        balance_after_credits=500_000 - 150 * 1_251,
    )
    assert plain_sql.balance(engine, "ben") == 120_000


def test_runs_that_cannot_be_paid_for_are_counted_with_the_first_reason(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="a")
    summary = charge_all(engine, Batch(world.HAIKU, 120))
    assert (summary.charged, summary.total_credits, summary.balance_after_credits) == (3, 900, 100)
    assert summary.refused_count == 117
    assert str(summary.refused["insufficient_credits"].first) == (
        "ada has 100 credits, but this takes 300. Nothing was charged. Add at least 200 credits and try again."
    )


def test_a_batch_of_an_unknown_user_charges_nobody(engine: Engine) -> None:
    summary = charge_all(engine, Batch(world.HAIKU, 2))
    assert (summary.charged, summary.refused["unknown_user"].count) == (0, 2)
    assert (summary.balance_before_credits, summary.cheapest_credits) == (None, None)


def test_creators_who_run_their_own_prompts_get_their_share_back_at_once(engine: Engine) -> None:
    world.add(engine, "ben", 10_000, key="a")
    summary = charge_all(engine, Batch(world.run_by("ben", world.HAIKU_WITH_FEE), 2))
    assert (summary.balance_before_credits, summary.balance_after_credits) == (10_000, 10_000 - 2 * (1_251 - 800))


def test_a_batch_that_is_charged_again_in_other_pieces_charges_nothing_and_gives_the_same_summary(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(engine, "ada", 1_000_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 12)
    first = charge_all(engine, batch)
    before = plain_sql.every_row(engine)
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 0)  # one run in each piece
    assert charge(engine, batch).charged == 1
    assert charge_all(engine, batch) == first
    assert plain_sql.every_row(engine) == before
    assert plain_sql.scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 12


def test_every_run_of_a_batch_has_a_key_of_its_own(engine: Engine) -> None:
    world.add(engine, "ada", 1_000_000, key="a")
    charge_all(engine, Batch(world.HAIKU, 3))
    assert charged_keys(engine) == ["k:1", "k:2", "k:3"]


def test_a_batch_without_a_price_has_no_total(book: PriceBook) -> None:
    with pytest.raises(InvalidRequest):
        batch_total(Batch(replace(world.HAIKU, creator_fee_credits=5), 10), book, now=world.NOW)
