import csv
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import DataFileInvalid
from credits_core.lab.scenario.workload import TokenQuantiles, Workload, load_workloads
from credits_core.settings import WORKLOADS_FILE
from tests.support.real_traces import TRACES, needs_traces

CONVERSATION_INPUT = TokenQuantiles(p50=1_020, p95=4_083, max=14_050)
QUANTILES = st.tuples(*[st.integers(1, 10_000)] * 3).map(lambda counts: TokenQuantiles(*sorted(counts)))


def test_the_workloads_are_those_of_the_published_traces() -> None:
    assert load_workloads(WORKLOADS_FILE) == {
        "conversation": Workload("conversation", 19_366, CONVERSATION_INPUT, TokenQuantiles(129, 451, 1_000)),
        "code": Workload("code", 8_819, TokenQuantiles(1_469, 7_303, 7_437), TokenQuantiles(13, 90, 1_899)),
    }


@needs_traces
@pytest.mark.parametrize(("workload", "trace"), TRACES.items())
def test_the_workloads_have_the_quantiles_of_the_traces_themselves(workload: str, trace: Path) -> None:
    with trace.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = load_workloads(WORKLOADS_FILE)[workload]
    assert kept.requests == len(rows)
    for column, quantiles in (("ContextTokens", kept.input_tokens), ("GeneratedTokens", kept.output_tokens)):
        counts = sorted(int(row[column]) for row in rows)
        assert quantiles.max == counts[-1]
        for share_percent, quantile in ((50, quantiles.p50), (95, quantiles.p95)):
            # The count of the row at that share of the way, or one of its neighbours.
            position = len(counts) * share_percent // 100
            assert counts[position - 1] <= quantile <= counts[position + 1]


@pytest.mark.parametrize(
    ("share", "tokens"),
    [
        (0.0, 1),
        (0.25, 1 + 509),  # half of the 1,019 from 1 to the median
        (0.5, 1_020),
        (0.725, 1_020 + 1_531),  # half of the 3,063 from there to the 95th percentile
        (0.95, 4_083),
        (0.975, 4_083 + 4_983),  # half of the 9,967 from there to the maximum
        (1.0, 14_050),
    ],
)
def test_a_share_of_the_runs_lies_below_a_count(share: float, tokens: int) -> None:
    assert CONVERSATION_INPUT.at(share) == tokens


@given(quantiles=QUANTILES, low=st.floats(0, 1), high=st.floats(0, 1))
def test_counts_rise_with_the_share_from_1_to_the_maximum(quantiles: TokenQuantiles, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 1 <= quantiles.at(low) <= quantiles.at(high) <= quantiles.max


# Three standard deviations of a quantile of 20,000 draws are 1.06 % of the runs at the median (3 × √(0.25 ÷ 20,000))
# and 0.46 % at the 95th percentile. The bounds are the counts at 48.94 and 51.06 %, and at 94.54 and 95.46 %, on the
# straight lines between the quantiles; the largest of the draws is one of the last 0.05 %.
@pytest.mark.parametrize(
    ("workload", "index", "p50", "p95", "largest"),
    [
        ("conversation", 0, (998, 1_093), (4_051, 5_000), (13_950, 14_050)),
        ("conversation", 1, (126, 137), (447, 502), (994, 1_000)),
        ("code", 0, (1_437, 1_607), (7_243, 7_316), (7_435, 7_437)),
        ("code", 1, (12, 15), (89, 257), (1_880, 1_899)),
    ],
)
def test_drawn_runs_have_the_quantiles_they_are_drawn_from(
    workload: str, index: int, p50: tuple[int, int], p95: tuple[int, int], largest: tuple[int, int]
) -> None:
    random, drawn_from = Random(1), load_workloads(WORKLOADS_FILE)[workload]
    drawn = sorted(drawn_from.draw(random)[index] for _ in range(20_000))
    assert p50[0] <= drawn[10_000] <= p50[1]
    assert p95[0] <= drawn[19_000] <= p95[1]
    assert largest[0] <= drawn[-1] <= largest[1]
    assert drawn[0] >= 1


def test_the_same_generator_state_gives_the_same_run() -> None:
    workload = load_workloads(WORKLOADS_FILE)["code"]
    assert [workload.draw(Random(5)) for _ in range(3)] == [workload.draw(Random(5))] * 3
    assert workload.draw(Random(5)) != workload.draw(Random(6))


GOOD = """
[[workloads]]
id = "chat"
requests = 10
input_tokens = { p50 = 10, p95 = 10, max = 10 }
output_tokens = { p50 = 1, p95 = 2, max = 3 }
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("workloads = [", "cannot be read as workloads"),
        ("", "KeyError('workloads')"),
        (GOOD.replace("requests = 10", ""), "KeyError('requests')"),
        (GOOD.replace("p50 = 1,", ""), "p50"),
        (GOOD.replace("p50 = 1,", "p50 = '1',"), "TypeError"),
        (GOOD.replace("p50 = 1,", "p50 = 0,"), "chat: quantiles must rise from 1"),
        (GOOD.replace("p50 = 1,", "p50 = 3,"), "chat: quantiles must rise from 1"),
        (GOOD.replace("max = 10", "max = 9"), "chat: quantiles must rise from 1"),
    ],
)
def test_a_file_that_is_no_workloads_is_refused_with_its_problem(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "workloads.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileInvalid) as caught:
        load_workloads(path)
    assert problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "workloads.toml"
    with pytest.raises(DataFileInvalid):
        load_workloads(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataFileInvalid):
        load_workloads(path)
    path.write_text(GOOD, encoding="utf-8")
    assert load_workloads(path)["chat"].input_tokens == TokenQuantiles(10, 10, 10)
