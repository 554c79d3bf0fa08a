"""Logs of requests as a record that plans can be tried on: worked out by hand."""

from pathlib import Path

import pytest

from credits_core.bulk.trace_record import record_of_traces
from credits_core.errors import DataFileInvalid
from credits_core.lab.replay.result import compare
from tests.support import world

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def written(folder: Path, name: str, rows: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + rows, encoding="utf-8")
    return path


def test_every_request_is_a_run_of_the_user_named_after_its_file(tmp_path: Path) -> None:
    first = written(tmp_path, "conv.csv", "2023-11-16 18:15:46.68,1000,100\n2023-11-17 18:15:50,35,10\n")
    second = written(tmp_path, "code.csv", "2023-11-16 18:17:03,0,0\n2023-11-16 18:17:04,4000,0\n")
    again = written(tmp_path / "other", "conv.csv", "2023-11-16 18:15:46.68,4,0\n")
    book = world.price_book()
    history = record_of_traces([first, second, again], book.models["openai/gpt-4o"], book.plan, at=world.NOW)
    # 1,000 × 2.5 + 100 × 10; 87.5 + 100, rounded up; 4,000 × 2.5; 10. The request that failed is left out.
    assert history.charges.inference_cost_credits.tolist() == [3_500, 188, 10_000, 10]
    found = compare(history, book.plan, book.plans)
    assert found.matches_record
    # 20 % below 10,000 and 10 % from there on.
    assert {one.name: one.users.plan_credits for one in found.by_user.page()} == {
        "conv": 4_200 + 225,
        "code": 11_000,
        "conv-3": 12,
    }
    assert [one.name for one in found.by_day.page()] == ["2023-11-16", "2023-11-17"]


def test_a_log_without_a_token_is_refused(tmp_path: Path) -> None:
    empty = written(tmp_path, "failed.csv", "2023-11-16 18:17:03,0,0\n")
    book = world.price_book()
    with pytest.raises(DataFileInvalid, match="has no request that used a token"):
        record_of_traces([empty], book.models["openai/gpt-4o"], book.plan, at=world.NOW)
