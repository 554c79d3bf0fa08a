"""`usage` and `plan replay --data`: what they print, and what they refuse in one line with what to do."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Commands
from tests.support.usage_files import OPENAI_USAGE, lines, litellm

OWN = "When;LLM;Tokens in;Tokens out\n5/10/2024 10:00;gpt-4o;1.020;129\n"


@pytest.fixture
def call(commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The commands, with a folder of data sets of their own, where there is no database yet."""
    commands.use(f"sqlite:///{tmp_path / 'none.db'}")
    monkeypatch.setenv("CREDITS_USAGE_FOLDER", str(tmp_path / "usage"))
    return commands


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_a_log_is_brought_in_listed_replayed_and_deleted(call: Commands, tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", lines(litellm(), litellm(request_id="r2", model="ours")))
    code, out, err = call("usage", "import", log, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {key: found[key] for key in ("name", "format", "rows", "used", "refused", "runs", "users")} == {
        "name": "log",
        "format": "litellm",
        "rows": 2,
        "used": 1,
        "refused": 1,
        "runs": 1,
        "users": 1,
    }
    assert found["refused_rows"] == [
        {"line": 2, "column": "model", "found": "ours", "reason": "is no model that is known here. Match it with one"}
    ]
    assert found["costs"] == [
        {"model": "openai/gpt-4o", "rows": 1, "ours_credits": 5_615, "theirs_usd": "0.005615", "differences": []}
    ]
    assert json.loads(call("usage", "list", "--json")[1])[0]["name"] == "log"
    replayed = json.loads(call("plan", "replay", "promptflow-v1", "--data", "log", "--json")[1])
    assert replayed["data"] == "log"
    assert replayed["recorded_plan"] == "promptflow-v1"
    assert replayed["matches_record"] is True
    assert replayed["users_paid"]["plan_credits"] == 6_738
    assert (
        call("usage", "refused", "log")[1] == "line 2: model is no model that is known here. Match it with one (ours)\n"
    )
    assert call("usage", "costs", "log")[1] == "openai/gpt-4o, 1 row: the log says $0.005615, our cost is 5,615\n"
    assert call("usage", "delete", "log", "--json")[0] == 0
    assert call("usage", "list")[1] == "no data sets yet\n"
    assert call("usage", "costs", "log")[2].startswith("error: there is no data set 'log'")


def test_a_match_is_remembered(call: Commands, tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", lines(litellm(model="ours")))
    assert call("usage", "import", log)[2] == (
        "error: log.jsonl: has 1 rows, and none of them is a run. The first refused row is line 1: model is no model "
        "that is known here. Match it with one; nothing was changed\n"
    )
    assert call("usage", "import", log, "--match", "ours=no such model")[0] == 1
    assert call("usage", "import", log, "--match", "ours=openai/gpt-4o")[0] == 0
    assert call("usage", "import", log)[0] == 0
    assert [one["name"] for one in json.loads(call("usage", "list", "--json")[1])] == ["log", "log-2"]


def test_an_unknown_file_is_read_by_named_columns_that_are_remembered(call: Commands, tmp_path: Path) -> None:
    log = written(tmp_path / "own.csv", OWN)
    assert "Or say which column is which" in call("usage", "import", log)[2]
    columns = ("--map", "time=When", "--map", "model=LLM", "--map", "input_tokens=Tokens in")
    assert "must also name output_tokens" in call("usage", "import", log, *columns)[2]
    assert "the file has no column 'Out'" in call("usage", "import", log, "--map", "output_tokens=Out")[2]
    columns = (*columns, "--map", "output_tokens=Tokens out")
    code, out, _ = call("usage", "import", log, *columns)
    assert code == 1
    assert out.splitlines() == [
        "own.csv: line 2: 1.020 may be 1020 or 1.020: say how decimals are written. Answer with --decimals point or "
        "comma",
        "own.csv: line 2: 5/10/2024 10:00 may be October 5 or May 10: say which comes first. Answer with --dates "
        "day-first or month-first",
    ]
    assert call("usage", "import", log, *columns, "--decimals", "comma", "--dates", "month-first")[0] == 0
    assert call("usage", "import", log, "--decimals", "comma", "--dates", "day-first")[0] == 0
    first, second = json.loads(call("usage", "list", "--json")[1])
    assert (first["format"], first["first_at"][:10], second["first_at"][:10]) == ("columns", "2024-05-10", "2024-10-05")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "excel"), "format: must be litellm, langfuse,"),
        (("--dates", "maybe"), "dates: must be day-first or month-first, not 'maybe'"),
        (("--match", "ours"), "match: must be two names with = between, not 'ours'"),
        (("--map", "colour=model"), "map: must be time, model,"),
        (("--name", "a/b"), "name: must be 1 to 64 letters"),
        (("--model", "no such model"), "no such model"),
    ],
)
def test_a_wrong_option_is_refused_and_nothing_is_kept(
    call: Commands, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    code, _, err = call("usage", "import", written(tmp_path / "log.jsonl", lines(litellm())), *options)
    assert code == 1
    assert said in err
    assert not (tmp_path / "usage").exists()


def test_sums_are_replayed_only_as_somebody_says(call: Commands, tmp_path: Path) -> None:
    call("usage", "import", written(tmp_path / "o.csv", OPENAI_USAGE))
    replay = ("plan", "replay", "promptflow-v1", "--data", "o")
    assert "error: o: 1 row is a sum of 12 requests" in call(*replay)[2]
    for sums, paid in (("one-run", 38_775), ("equal-runs", 42_300)):
        found = json.loads(call(*replay, "--sums", sums, "--json")[1])
        assert (found["users_paid"]["plan_credits"], found["sums"]) == (paid, sums)
    assert "sums: must be one-run or equal-runs" in call(*replay, "--sums", "both")[2]
    assert "is for rows of a data set" in call("plan", "replay", "promptflow-v1", "--sums", "one-run")[2]
    assert "o has no run to price again" in call(*replay, "--sums", "one-run", "--from", "2027-01-01")[2]
    assert "there is no data set 'p'" in call("plan", "replay", "promptflow-v1", "--data", "p")[2]
