"""Files brought in: everything adds up, unknown models are refused and never guessed, and a stop leaves nothing."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.datasets.columns import read_columns
from credits_core.datasets.folder import Folder, columns_key, pseudonym
from credits_core.datasets.importing import Wanted, bringing_in
from credits_core.datasets.matching import Matcher, model_of
from credits_core.datasets.refusals import DataSetExists, UnknownDataSet
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.usage.files import FileInMemory
from credits_core.usage.formats import FORMATS
from credits_core.usage.reading import HowToRead
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, person
from tests.support.actors import TESTER
from tests.support.usage_files import NOW, bring, lines, litellm

FAULTY = lines(
    litellm(),
    litellm(request_id="r2", model="our-own-llama", custom_llm_provider="vllm"),
    litellm(request_id="r3", prompt_tokens="many"),
    litellm(),
    litellm(request_id="r4", cache_hit="True", spend=0.0),
    litellm(request_id="r5", prompt_tokens=0, completion_tokens=0, spend=0, status="failure", cached=0),
    litellm(request_id="r6", cached=9_999),
    litellm(request_id="r7", startTime=None),
)


def test_rows_in_are_rows_used_and_rows_refused(tmp_path: Path) -> None:
    found = bring(tmp_path, f"{FAULTY}\nnot json\n")
    assert (found.rows, found.used, found.refused) == (9, 3, 6)
    assert (found.runs, found.free_runs, found.unused) == (2, 1, 1)
    assert found.unused_reasons == {"the request failed (failure)": 1}
    refused = [(row["line"], row["column"], row["reason"]) for row in Folder(tmp_path).refused_rows("log")]
    assert sorted(refused) == [
        (2, "model", "is no model that is known here. Match it with one"),
        (3, "prompt_tokens", "must be a number, not 'many'"),
        (4, "request_id", "is the same request as line 1: id, time, model and usage agree"),
        (
            7,
            "metadata",
            "cache_read_tokens is 9,999 and must not be above input_tokens, 2,006, which counts it too",
        ),
        (8, "startTime", "must be given"),
        (9, "", "is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ]


def test_a_model_is_matched_by_a_person_and_not_by_likeness(tmp_path: Path) -> None:
    row = litellm(model="gpt-4o-ours", custom_llm_provider="")
    with pytest.raises(DataFileInvalid, match="none of them is a run"):
        bring(tmp_path, lines(row, row))
    assert list(tmp_path.iterdir()) == []
    found = bring(tmp_path, lines(row, litellm()), matched={"gpt-4o-ours": "openai/gpt-4o"})
    assert found.models == {"gpt-4o": "openai/gpt-4o", "gpt-4o-ours": "openai/gpt-4o"}
    assert found.runs_by_model == {"openai/gpt-4o": 2}


def test_a_logs_model_is_the_one_that_is_priced_by_tokens() -> None:
    models = settings.load_models()
    assert models["gpt-4o"].id == "gpt-4o"  # the specification's price for a run
    found = model_of(models, "gpt-4o")
    assert found is not None
    assert found.id == "openai/gpt-4o"
    azure = Matcher(models).model("azure", "gpt-4o")
    assert azure is not None
    assert azure.id == "openai/gpt-4o"
    assert Matcher(models).model("", "gpt-4o-fine-tuned-by-us") is None


def test_a_data_set_is_listed_with_what_it_has(tmp_path: Path) -> None:
    late = litellm(request_id="r2", startTime="2026-03-05T10:00:00Z", end_user="ben")
    found = bring(tmp_path, lines(litellm(), late))
    assert Folder(tmp_path).data_sets() == [found]
    assert (found.users, found.own_cost_rows, found.has_sums) == (2, 2, False)
    assert (found.last_at_us - found.first_at_us) == 4 * 86_400_000_000
    assert found.size == (tmp_path / "log.parquet").stat().st_size
    columns = read_columns(tmp_path / "log.parquet")
    assert {key: counts.tolist() for key, counts in columns.usage.items()} == {
        "input_tokens": [2_006, 2_006],
        "output_tokens": [300, 300],
        "cache_read_tokens": [1_920, 1_920],
    }
    assert [columns.user.names[number] for number in columns.user.number] == ["ada", "ben"]


def test_people_can_be_replaced_by_stable_pseudonyms(tmp_path: Path) -> None:
    first = bring(tmp_path, lines(litellm(), litellm(request_id="2", end_user="ben")), name="one", has_pseudonyms=True)
    bring(tmp_path, lines(litellm()), name="two", has_pseudonyms=True)
    assert first.users == 2
    folder = Folder(tmp_path)
    key = folder.pseudonym_key()
    one, two = (read_columns(folder.file_of(name)).user.names for name in ("one", "two"))
    assert two == (pseudonym("ada", key),)
    assert one[0] == two[0]
    assert b"ada" not in folder.file_of("one").read_bytes()
    assert (tmp_path / ".pseudonyms-key").stat().st_mode & 0o777 == 0o600
    assert Folder(tmp_path / "elsewhere").pseudonym_key() != key


def wanted(content: str, name: str = "log") -> Wanted:
    return Wanted(FileInMemory("log.csv", content.encode()), HowToRead(FORMATS["litellm"]), name, NOW, TESTER)


def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    content = lines(*(litellm(request_id=f"r{number}") for number in range(20_000)))
    work = bringing_in(Folder(tmp_path), wanted(content), Matcher(settings.load_models()))
    with closing(work):
        progress = next(work)
        assert 0 < progress.done <= progress.total == len(content)
        while not any(path.stat().st_size > 10_000 for path in tmp_path.iterdir()):
            next(work)
        assert Folder(tmp_path).data_sets() == []
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_at_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match="has 1 rows, and none of them is a run"):
        bring(tmp_path, lines(litellm(model="no such model", custom_llm_provider="")))
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    bring(tmp_path, lines(litellm()), name="March")
    with pytest.raises(DataSetExists):
        bring(tmp_path, lines(litellm()), name="march")
    for name in ("../escape", "a b", "", ".hidden", "x" * 65):
        with pytest.raises(InvalidRequest):
            bring(tmp_path, lines(litellm()), name=name)
    assert [one.name for one in Folder(tmp_path).data_sets()] == ["March"]
    assert Folder(tmp_path).free_name("march.csv") == "march-2"


def test_a_data_set_is_deleted_on_request(tmp_path: Path) -> None:
    bring(tmp_path, FAULTY)
    folder = Folder(tmp_path)
    viewer = person("v@example.org", frozenset({PersonRole.VIEWER}))
    with pytest.raises(NotAllowed):
        folder.delete("log", actor=viewer)
    folder.delete("log", actor=TESTER)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnknownDataSet, match="There is none yet"):
        folder.delete("log", actor=TESTER)
    with pytest.raises(UnknownDataSet):
        folder.delete("../log", actor=TESTER)


def test_whoever_may_not_keep_usage_brings_none_in(tmp_path: Path) -> None:
    finance = person("f@example.org", frozenset({PersonRole.FINANCE}))
    work = bringing_in(
        Folder(tmp_path), replace(wanted(lines(litellm())), actor=finance), Matcher(settings.load_models())
    )
    with pytest.raises(NotAllowed):
        next(work)
    with pytest.raises(NotAllowed):
        Folder(tmp_path).remember(models={"a": "b"}, actor=finance)
    assert list(tmp_path.iterdir()) == []


def test_what_people_chose_is_remembered(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.remembered().models == {}
    folder.remember(models={"ours": "openai/gpt-4o"}, actor=TESTER)
    folder.remember(models={"theirs": "openai/o3"}, columns=("a", "b"), mapping={"time": "a"}, actor=TESTER)
    assert folder.remembered().models == {"ours": "openai/gpt-4o", "theirs": "openai/o3"}
    assert folder.remembered().mappings == {columns_key(("a", "b")): {"time": "a"}}
    assert folder.data_sets() == []


def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataFileInvalid, match=r"log\.parquet: is no data set of ours"):
        Folder(tmp_path).data_sets()


def test_a_run_without_a_price_is_refused_with_the_reason(tmp_path: Path) -> None:
    bring(
        tmp_path,
        "start_time_iso,num_model_requests,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens\n"
        "2026-03-01,1,gpt-4o,False,default,10,1,0\n2026-03-01,1,gpt-4o,False,warp,10,1,0\n",
    )
    (row,) = Folder(tmp_path).refused_rows("log")
    assert (row["line"], row["column"], row["found"]) == (3, "service_tier", "warp")
