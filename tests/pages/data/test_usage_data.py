"""Usage data on the screen: what is understood, asked and matched before anything is kept, and what is kept then."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.datasets.folder import Folder
from credits_core.values.roles import PersonRole
from tests.support import page_driver
from tests.support.acting import actor_as, signed_in
from tests.support.page_driver import (
    as_read,
    button_labels,
    captions,
    click,
    downloads,
    links,
    metrics,
    open_page,
    run,
    table,
)
from tests.support.plain_sql import every_row
from tests.support.usage_files import OPENAI_USAGE, bring, lines, litellm

SCREEN, REPLAY = "data/usage_data.py", "replay/replay_history.py"
LOG = lines(
    litellm(),
    litellm(request_id="r2", model="ours", end_user="ben"),
    litellm(request_id="r3", prompt_tokens="many"),
    litellm(request_id="r4", spend=0.5),
)
OWN = "Zeit;Modell;Tokens rein;Tokens raus\n5/10/2026 10:00;gpt-4o;1.020;129\n"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("data"), demo=False) as engine:
        yield engine


@pytest.fixture
def folder(ledger: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("CREDITS_USAGE_FOLDER", str(tmp_path / "usage"))
    return Folder(tmp_path / "usage")


def choose_file(content: str, name: str = "log.jsonl") -> AppTest:
    page = open_page(SCREEN)
    page.file_uploader[0].set_value((name, content.encode(), "text/plain"))
    return run(page)


def said(page: AppTest) -> str:
    everything = [*page.markdown, *page.caption, *page.info, *page.warning, *page.error]
    return as_read("\n".join(str(one.value) for one in everything))


def box(page: AppTest, label: str) -> object:
    (found,) = (one for one in page.selectbox if as_read(one.label) == label)
    return found


def test_an_empty_screen_says_what_to_bring_in(folder: Folder) -> None:
    assert "You see how it is understood before anything is kept." in said(open_page(SCREEN))


def test_a_log_is_understood_before_anything_is_kept(folder: Folder) -> None:
    page = choose_file(LOG)
    assert box(page, "Format").value == "litellm"  # type: ignore[attr-defined]
    frame = page.table[0].value
    assert list(frame["Line"]) == [1, 2, 3, 4]
    assert list(frame["Input"].fillna(0)) == [2_006, 2_006, 0, 2_006]
    assert "must be a number" in as_read(frame["Note"][2])
    assert "4 rows: 3 can be read, 1 cannot. 2 users, 2 models." in said(page).replace("**", "")
    assert "1 row of models that are not matched will be refused and listed." in said(page)
    assert not folder.path.exists()


def test_a_log_is_brought_in_with_a_model_that_a_person_matched(folder: Folder, ledger: Engine) -> None:
    before = every_row(ledger)
    page = choose_file(LOG)
    assert "ours: 1 row" in said(page)
    match = box(page, "Unknown model 1")
    match.set_value("openai/gpt-4o")  # type: ignore[attr-defined]
    page = run(page)
    assert "will be refused" not in said(page)
    page = click(page, "Bring in 4 rows")
    (found,) = folder.data_sets()
    assert (found.name, found.rows, found.used, found.refused, found.runs) == ("log", 4, 3, 1, 3)
    assert folder.remembered().models == {"openai|ours": "openai/gpt-4o"}
    assert metrics(page) == {
        "Rows in the file": ("4", "3 used, 1 refused"),
        "Runs": ("3", "every used row is one"),
        "Refused": ("1", "listed below"),
        "Users": ("2", "1 model"),
    }
    assert "log: 3 runs from 4 rows, 1 refused." in said(page)
    costs = page.table[0].value
    assert (list(costs["In the file"]), list(costs["Ours"])) == ([511_230], [3 * 5_615])
    assert "−494,385 (−$0.4944) not explained" in said(page).replace("**", "")
    assert table(page) == [
        {"Line": 3, "Column": "prompt_tokens", "Found": "many", "Reason": "must be a number, not 'many'"}
    ]
    assert every_row(ledger) == before  # the ledger knows nothing of it


def test_columns_are_proposed_and_questions_asked_until_nothing_is_open(folder: Folder) -> None:
    page = choose_file(OWN, "own.csv")
    assert "No known format." not in said(page) or "nearest" in said(page)
    for label, column in (("Time", "Zeit"), ("Model", "Modell")):
        assert box(page, label).value == column  # type: ignore[attr-defined]
    box(page, "Input tokens").set_value("Tokens rein")  # type: ignore[attr-defined]
    page = run(page)
    box(page, "Output tokens").set_value("Tokens raus")  # type: ignore[attr-defined]
    page = run(page)
    assert [radio.label for radio in page.radio if radio.label.startswith("What")] == [
        "What is 5/10/2024?",
        "What is 1,234?",
    ]
    assert not any("Bring in" in label for label in button_labels(page))
    for label, answer in (("What is 5/10/2024?", "day-first"), ("What is 1,234?", "comma")):
        (radio,) = (radio for radio in page.radio if radio.label == label)
        radio.set_value(answer)
        page = run(page)
    page = click(page, "Bring in 1 row")
    (found,) = folder.data_sets()
    assert (found.runs, found.format, found.answers) == (1, "columns", {"dates": "day-first", "decimals": "comma"})
    assert "2026-10-05" in captions(page)
    (remembered,) = folder.remembered().mappings.values()
    assert remembered["input_tokens"] == "Tokens rein"


def test_what_is_no_table_is_refused_in_words(folder: Folder) -> None:
    page = choose_file("", "empty.csv")
    assert "is empty" in said(page)


def test_the_list_opens_a_data_set_which_can_be_deleted(folder: Folder) -> None:
    bring(folder.path, LOG, name="march", matched={"ours": "openai/gpt-4o"})
    (row,) = table(open_page(SCREEN))
    assert (row["Name"], row["Runs"], row["Refused"], row["Days"]) == ("march", 3, 1, "2026-03-01")
    with downloads() as caught:
        page = open_page(SCREEN, data="march")
    assert links(page)["Replay"] == ("replay-history", "runs=data+set+march&anew=")
    refused = caught.files["march-refused.csv"]().decode("utf-8-sig").splitlines()
    assert refused == ["line,column,found,reason", "3,prompt_tokens,many,\"must be a number, not 'many'\""]
    click(page, "Delete it")
    assert folder.data_sets() == []
    assert "There is no data set march any more." in said(open_page(SCREEN, data="march"))


def test_a_viewer_sees_data_sets_and_brings_none_in(folder: Folder) -> None:
    bring(folder.path, LOG, name="march")
    with signed_in(actor_as(PersonRole.VIEWER)):
        page = open_page(SCREEN)
        assert list(page.file_uploader) == []
        assert "You may not bring in or delete usage of other systems." in captions(page)
        assert "Delete it" not in button_labels(open_page(SCREEN, data="march"))


# --- replay -----------------------------------------------------------------------------------------------------------


def paid(page: AppTest) -> int:
    (metric,) = (metric for metric in page.metric if metric.label.startswith("Users pay"))
    return int(metric.proto.delta_description.removeprefix("of ").replace(",", ""))


def test_a_replay_takes_the_runs_of_a_data_set(folder: Folder) -> None:
    bring(folder.path, LOG, name="march", matched={"ours": "openai/gpt-4o"})
    page = open_page(REPLAY, runs="data set march")
    assert paid(page) == 3 * 6_738  # 5,615 and 20 %
    assert ("3 runs of data set march, compared with promptflow-v1, the live plan. Nobody was charged.") in said(
        page
    ).replace("\\", "")
    assert "A data set knows no balances" in said(page)
    assert paid(open_page(REPLAY, runs="data set march", days=["2026-03-01", "2026-03-01"])) == 3 * 6_738


def test_a_replay_of_sums_asks_what_they_are(folder: Folder) -> None:
    bring(folder.path, OPENAI_USAGE, name="openai")
    page = open_page(REPLAY, runs="data set openai")
    assert list(page.metric) == []
    assert "As one run, a row is priced by the sum." in said(page)
    for sums, credits in (("one run", 38_775), ("equal runs", 42_300)):
        page = open_page(REPLAY, runs="data set openai", sums=sums)
        assert paid(page) == credits
        assert "1 row is the sum of 12 requests. Assumed: each is" in said(page)


def test_a_replay_takes_made_up_runs(folder: Folder) -> None:
    page = open_page(REPLAY, runs="scenario conversation")
    assert "10,000 runs of scenario conversation, compared with promptflow-v1" in said(page).replace("\\", "")
    assert paid(page) > 0
    assert "Nobody runs out of credits here" in said(page)


def test_a_file_that_is_no_json_in_its_middle_is_read_around_it(folder: Folder) -> None:
    broken = f"{json.dumps(litellm())}\n{{\n{json.dumps(litellm(request_id='r2'))}\n"
    page = choose_file(broken)
    assert "3 rows: 2 can be read, 1 cannot." in said(page).replace("**", "")


# --- compare ----------------------------------------------------------------------------------------------------------

COMPARE = "plans/compare_plans.py"
FLAT = "8000;10000:3000bps;100000:1000bps;500"


def users_pay(page: AppTest) -> tuple[int, int]:
    """What users gain under plan B, and what they pay under plan A."""
    (metric,) = (metric for metric in page.metric if metric.label.startswith("Users pay"))
    gain = int(str(metric.value).replace("−", "-").replace(",", ""))
    return gain, int(metric.proto.delta_description.removeprefix("of ").replace(",", ""))


def test_two_plans_are_compared_on_the_runs_of_a_data_set(folder: Folder) -> None:
    bring(folder.path, LOG, name="march", matched={"ours": "openai/gpt-4o"})
    plans = {"a": "promptflow-v1", "b": "promptflow-v1", "edit": FLAT}
    page = open_page(COMPARE, runs="data set march", **plans)
    assert users_pay(page) == (-3 * (1_684 - 1_123), 3 * 6_738)  # 30 % of 5,615 for 20 %
    assert "Data set march: 3 runs. Nobody was charged." in said(page)
    box(page, "Runs of").set_value("the ledger")  # type: ignore[attr-defined]
    assert "There is no run to price again" in [info.proto.title for info in run(page).info] or list(page.metric) == []


def test_a_comparison_of_sums_asks_what_they_are(folder: Folder) -> None:
    bring(folder.path, OPENAI_USAGE, name="openai")
    plans = {"a": "promptflow-v1", "b": "promptflow-v1", "edit": FLAT}
    page = open_page(COMPARE, runs="data set openai", **plans)
    assert list(page.metric) == []
    assert "As one run, a row is priced by the sum." in said(page)
    page = open_page(COMPARE, runs="data set openai", sums="equal runs", **plans)
    assert users_pay(page) == (-12 * (881 - 587), 42_300)  # 30 % of 2,938 for 20 %
    box(page, "Runs of").set_value("scenario code")  # type: ignore[attr-defined]
    assert "Scenario code: 10,000 runs. Nobody was charged." in said(run(page))
