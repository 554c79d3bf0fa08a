"""A data set is replayed by the code of the ledger's replay: every amount equals arithmetic written out here."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from credits_core import settings
from credits_core.datasets.columns import Columns, Texts, read_columns
from credits_core.datasets.folder import Folder
from credits_core.datasets.own_cost import Why, compared
from credits_core.datasets.record import history_of, recorded
from credits_core.datasets.refusals import RequestsNotCounted, SumsNotSaid
from credits_core.datasets.sums import Sums, runs_of
from credits_core.errors import InvalidRequest
from credits_core.lab.replay.result import compare
from credits_core.pricing.plan_toml import parse_price_plan
from credits_core.values.days import DayRange
from tests.support.real_traces import TRACES, needs_traces
from tests.support.usage_files import OPENAI_USAGE, bring, lines, litellm

ALL = DayRange()
BOOK = settings.load_price_book()
HALF = parse_price_plan('id = "half"\ncreator_share_bps = 5000\ntiers = [{markup_bps = 5000}]\n', "half.toml")


def total_of(cost: int) -> int:
    """What promptflow-v1 charges for a run without a fee: 20 % below 10,000, 10 % below 100,000, else 500."""
    return cost + (cost * 2_000 // 10_000 if cost < 10_000 else cost * 1_000 // 10_000 if cost < 100_000 else 500)


def test_a_row_of_sums_is_one_run_or_equal_runs_and_never_just_taken(tmp_path: Path) -> None:
    bring(tmp_path, OPENAI_USAGE)
    folder = Folder(tmp_path)
    with pytest.raises(SumsNotSaid, match="log: 1 row is a sum of 12 requests, and the price of a run depends on"):
        history_of(folder, "log", book=BOOK, days=ALL)
    one = history_of(folder, "log", book=BOOK, days=ALL, sums=Sums.ONE_RUN)
    assert one.charges.inference_cost_credits.tolist() == [35_250]
    assert one.charges.total_credits.tolist() == [38_775]
    twelve = history_of(folder, "log", book=BOOK, days=ALL, sums=Sums.EQUAL_RUNS)
    assert twelve.charges.inference_cost_credits.tolist() == [2_938] * 12  # 2,937.5, rounded up
    assert int(twelve.charges.total_credits.sum()) == 42_300


def test_a_batch_and_a_tier_have_their_own_price(tmp_path: Path) -> None:
    bring(tmp_path, OPENAI_USAGE.replace(",False,default,", ",True,,").replace("2026-03-01", "2026-11-01"))
    (cost,) = history_of(
        Folder(tmp_path), "log", book=BOOK, days=ALL, sums=Sums.ONE_RUN
    ).charges.inference_cost_credits.tolist()
    # Half the price for 9,000 new tokens and 900 out. The batch has no price of its own for 3,000 cached ones.
    assert cost == 11_250 + 4_500 + 3_750


def test_sums_that_nobody_counted_are_one_run_only(tmp_path: Path) -> None:
    bring(
        tmp_path,
        "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_read,"
        "usage_output_tokens\n2026-03-01,claude-haiku-4-5-20251001,k,1000,0,100\n",
    )
    folder = Folder(tmp_path)
    with pytest.raises(SumsNotSaid, match="1 row is a sum of several requests"):
        history_of(folder, "log", book=BOOK, days=ALL)
    with pytest.raises(RequestsNotCounted):
        history_of(folder, "log", book=BOOK, days=ALL, sums=Sums.EQUAL_RUNS)
    (cost,) = history_of(folder, "log", book=BOOK, days=ALL, sums=Sums.ONE_RUN).charges.inference_cost_credits.tolist()
    assert cost == 1_500  # 1,000 × 1 + 100 × 5


def test_a_log_is_recorded_under_the_live_plan_and_replayed_under_another(tmp_path: Path) -> None:
    bring(
        tmp_path,
        lines(
            litellm(),
            litellm(request_id="r2", cached=0, end_user="ben"),
            litellm(request_id="r3", cache_hit="True", spend=0),
        ),
    )
    history = history_of(Folder(tmp_path), "log", book=BOOK, days=ALL)
    first = 86 * 2.5 + 1_920 * 1.25 + 300 * 10
    second = ceil(2_006 * 2.5 + 300 * 10)
    assert (first, second) == (5_615.0, 8_015)
    assert history.charges.inference_cost_credits.tolist() == [5_615, 8_015, 0]
    assert history.charges.total_credits.tolist() == [total_of(5_615), total_of(8_015), 0]
    same = compare(history, BOOK.plan, BOOK.plans)
    assert same.matches_record
    assert same.refused_runs == 0
    other = compare(history, HALF, BOOK.plans)
    assert other.sums.users.recorded_credits == 6_738 + 9_618
    assert other.sums.users.plan_credits == 5_615 + 2_807 + 8_015 + 4_007
    assert {one.name: one.users.recorded_credits for one in other.by_user.page()} == {"ada": 6_738, "ben": 9_618}


def test_days_choose_runs_by_when_they_took_place(tmp_path: Path) -> None:
    bring(tmp_path, lines(litellm(), litellm(request_id="r2", startTime="2026-03-02T10:00:00Z")))
    days = DayRange(date(2026, 3, 2), date(2026, 3, 2))
    history = history_of(Folder(tmp_path), "log", book=BOOK, days=days)
    assert len(history.charges.entry_id) == 1
    assert history_of(Folder(tmp_path), "log", book=BOOK, days=DayRange(date(2027, 1, 1), None)).is_empty


def test_nobody_runs_out_however_dear_the_plan(tmp_path: Path) -> None:
    bring(tmp_path, lines(litellm(), litellm(request_id="r2", end_user="ben")))
    history = history_of(Folder(tmp_path), "log", book=BOOK, days=ALL)
    dearest = replace(HALF, id="dearest")
    assert compare(history, dearest, BOOK.plans).refused_users == 0
    assert min(history.starting_credits) >= 2**53 - 1


@needs_traces
@pytest.mark.parametrize("trace", TRACES)
def test_the_published_traces_come_to_what_plain_arithmetic_gives(trace: str, tmp_path: Path) -> None:
    content = TRACES[trace].read_bytes()
    found = bring(tmp_path, content, model="openai/gpt-4o")
    history = history_of(Folder(tmp_path), "log", book=BOOK, days=ALL)
    costs = []
    for line in content.decode().splitlines()[1:]:
        _, given, generated = line.split(",")
        if line.strip():
            costs.append(ceil(Fraction(5, 2) * int(given) + 10 * int(generated)))
    assert found.runs == len(costs)
    assert history.charges.inference_cost_credits.tolist() == costs
    assert int(history.charges.total_credits.sum()) == sum(map(total_of, costs))


counts = some.integers(0, 500)


@given(some.lists(some.tuples(counts, counts, counts, counts, some.integers(1, 30)), min_size=1, max_size=8))
def test_equal_runs_lose_no_token_and_no_part_outgrows_its_whole(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    def column(values: list[int]) -> np.typing.NDArray[np.int64]:
        return np.array(values, np.int64)

    nothing = column([0] * len(rows))
    one_text = Texts(("x",), nothing)
    usage = {
        "input_tokens": column([fresh + read + write for fresh, read, write, _, _ in rows]),
        "output_tokens": column([out for *_, out, _ in rows]),
        "cache_read_tokens": column([read for _, read, _, _, _ in rows]),
        "cache_write_tokens": column([write for _, _, write, _, _ in rows]),
        "cache_write_5m_tokens": column([write // 2 for _, _, write, _, _ in rows]),
    }
    columns = Columns(
        *(nothing, nothing, one_text, one_text, one_text, one_text, one_text),
        *(column([times for *_, times in rows]), nothing, nothing - 1, nothing, nothing > 0, usage),
    )
    runs, row = runs_of(columns, Sums.EQUAL_RUNS)
    for key, whole in usage.items():
        shared = np.zeros(len(rows), np.int64)
        np.add.at(shared, row, runs.usage[key])
        assert shared.tolist() == whole.tolist()
        assert runs.usage[key].min() >= 0
    used = runs.usage
    assert (used["cache_read_tokens"] + used["cache_write_tokens"] <= used["input_tokens"]).all()
    assert (used["cache_write_5m_tokens"] <= used["cache_write_tokens"]).all()
    for number in range(len(rows)):
        of_row = used["output_tokens"][row == number]
        assert of_row.max() - of_row.min() <= 1


# --- both costs -----------------------------------------------------------------------------------------------------


def costs_of(path: Path) -> dict[str, tuple[int, int, dict[Why, int]]]:
    found = compared(read_columns(Folder(path).file_of("log")), settings.load_models().anywhere)
    for one in found:
        assert one.ours_credits * 10**6 - one.theirs_pico == sum(one.differences_pico.values())
    return {one.model_id: (one.ours_credits, one.theirs_pico, dict(one.differences_pico)) for one in found}


def test_every_difference_of_the_costs_has_its_reason(tmp_path: Path) -> None:
    bring(
        tmp_path,
        lines(
            litellm(),  # the same
            litellm(request_id="r2", prompt_tokens=2_005, cached=0, spend=0.0080125),  # rounding: 8,012.5 and 8,013
            litellm(request_id="r3", spend=0.008015),  # cached tokens at the full price
            litellm(request_id="r4", spend=0),  # no price there
            litellm(request_id="r5", spend=0.5),  # nobody knows
            litellm(request_id="r6", cache_hit="True", spend=0.001),
        ),
    )
    assert costs_of(tmp_path) == {
        "openai/gpt-4o": (
            5_615 + 8_013 + 5_615 * 3 + 0,
            10**6 * (5_615 + 8_015 + 500_000 + 1_000) + 8_012_500_000,
            {
                Why.ROUNDING: 500_000,
                Why.CACHED: -2_400 * 10**6,
                Why.NO_PRICE: 5_615 * 10**6,
                Why.FREE: -1_000 * 10**6,
                Why.UNEXPLAINED: (5_615 - 500_000) * 10**6,
            },
        )
    }


def test_a_log_without_costs_is_compared_with_nothing(tmp_path: Path) -> None:
    bring(tmp_path, OPENAI_USAGE)
    assert costs_of(tmp_path) == {}


def test_sums_are_compared_as_the_requests_that_they_are(tmp_path: Path) -> None:
    content = OPENAI_USAGE.replace("input_cached_tokens\n", "input_cached_tokens,cost\n").replace(
        ",3000\n", ",3000,0.03525\n"
    )
    bring(tmp_path, content)
    assert costs_of(tmp_path)["openai/gpt-4o"] == (12 * 2_938, 35_250 * 10**6, {Why.ROUNDING: 6 * 10**6})


def test_too_many_requests_are_refused(tmp_path: Path) -> None:
    bring(tmp_path, OPENAI_USAGE.replace(",12,", ",5000001,"))
    with pytest.raises(InvalidRequest, match="has 5,000,001 requests"):
        history_of(Folder(tmp_path), "log", book=BOOK, days=ALL, sums=Sums.EQUAL_RUNS)


def test_columns_that_were_read_once_are_priced_again(tmp_path: Path) -> None:
    bring(tmp_path, lines(litellm()))
    columns = read_columns(Folder(tmp_path).file_of("log"))
    assert recorded(columns, book=BOOK, days=ALL, sums=Sums.ONE_RUN).charges.total_credits.tolist() == [6_738]


def test_a_run_has_the_price_of_its_day_and_another_price_is_told(tmp_path: Path) -> None:
    o3 = {"model": "o3", "prompt_tokens": 1_000, "completion_tokens": 100, "cached": 0}
    bring(
        tmp_path,
        lines(
            litellm(**o3, startTime="2025-06-09T23:59:59Z", spend=0.014),  # 10 and 40 dollars until then
            litellm(**o3, request_id="r2", startTime="2025-06-10T00:00:00Z", spend=0.0028),  # 2 and 8 from then on
            litellm(**o3, request_id="r3", startTime="2025-06-10T00:00:00Z", spend=0.014),  # the old price still
        ),
    )
    history = history_of(Folder(tmp_path), "log", book=BOOK, days=ALL)
    assert history.charges.inference_cost_credits.tolist() == [14_000, 2_800, 2_800]
    assert costs_of(tmp_path)["openai/o3"] == (19_600, 30_800 * 10**6, {Why.OTHER_PRICE: -11_200 * 10**6})


def test_hours_with_their_own_price_are_priced_by_the_hour(tmp_path: Path) -> None:
    chat = {"model": "deepseek-chat", "custom_llm_provider": "deepseek", "prompt_tokens": 2_000, "cached": 0}
    bring(
        tmp_path,
        lines(
            litellm(**chat, startTime="2026-03-01T12:00:00Z", spend=0),  # 0.27 and 1.1 dollars from 0:30 to 16:30 UTC
            litellm(**chat, request_id="r2", startTime="2026-03-01T20:00:00Z", spend=0),  # 0.135 and 0.55
        ),
    )
    history = history_of(Folder(tmp_path), "log", book=BOOK, days=ALL)
    assert history.charges.inference_cost_credits.tolist() == [540 + 330, 270 + 165]


def test_a_log_with_the_standard_price_for_a_batch_is_told_so(tmp_path: Path) -> None:
    content = OPENAI_USAGE.replace(",False,default,", ",True,,").replace("2026-03-01", "2026-11-01")
    content = content.replace("input_cached_tokens\n", "input_cached_tokens,cost\n")
    bring(tmp_path, content.replace(",12,", ",1,").replace(",3000\n", ",3000,0.03525\n"))
    assert costs_of(tmp_path)["openai/gpt-4o"] == (19_500, 35_250 * 10**6, {Why.TIER: -15_750 * 10**6})
