"""Price lists as TOML: renewed, with a model more or less, and compared. What is not changed stays as written."""

import re
from datetime import UTC, date, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.prices.list_toml import differences, refreshed, with_model, without_model
from credits_core.prices.refusals import NoPrice, NotOffered
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel

TODAY = date(2026, 11, 27)
CORRECTIONS = settings.PRICE_CORRECTIONS_FILE
PACKAGE = f"genai-prices {version('genai-prices')}"
HEAD = "# The head of the file.\n\n"
TINY = """[[models]]
id = "tiny"  # the cheapest
name = "Tiny"
provider = "us"
type = "text"
run_price_credits = 5
source = "hand-written"
checked_on = 2026-01-01
"""
HEADING = "# --- priced by usage ---\n\n"
EMBEDDING = """[[models]]
id = "openai/text-embedding-3-small"
name = "Text embedding 3 small"
provider = "openai"
type = "embedding"
genai_prices_id = "openai/text-embedding-3-small"
prices = [{input_tokens = 0.02}]
source = "%s, OpenAI: https://developers.openai.com/api/docs/pricing"
checked_on = 2026-11-27
"""
CURRENT = EMBEDDING % PACKAGE
LIST = f"{HEAD}{TINY}\n{HEADING}{CURRENT}"


def own(model_id: str, prices: str) -> str:
    return (
        f'[[models]]\nid = "{model_id}"\nname = "A model"\nprovider = "us"\ntype = "text"\nprices = {prices}\n'
        'source = "hand-written"\nchecked_on = 2026-01-01\n'
    )


# --- refreshed ------------------------------------------------------------------------------------------------------


def test_nothing_is_written_when_no_price_changed() -> None:
    assert refreshed(LIST, "a list", CORRECTIONS, TODAY) == (LIST, [])


def test_another_day_without_a_new_price_keeps_the_day_since_which_it_is_known() -> None:
    text, changes = refreshed(LIST, "a list", CORRECTIONS, date(2026, 12, 24))
    assert changes == []
    assert text == LIST.replace("2026-11-27", "2026-12-24\nknown_since = 2026-11-27")
    model = parse_model_registry(text)["openai/text-embedding-3-small"]
    assert model.price_known_from(datetime(2026, 12, 24, tzinfo=UTC)) == date(2026, 11, 27)
    later, changes = refreshed(text, "a list", CORRECTIONS, date(2027, 1, 7))
    assert changes == []
    assert later == LIST.replace("2026-11-27", "2027-01-07\nknown_since = 2026-11-27")


def test_the_heading_of_the_next_model_stays_below_the_day_since_which_a_price_is_known() -> None:
    text, _ = refreshed(LIST + "\n# The next one.\n\n" + LAST, "a list", CORRECTIONS, date(2026, 12, 24))
    assert text.endswith(f"checked_on = 2026-12-24\nknown_since = 2026-11-27\n\n# The next one.\n\n{LAST}")


def test_a_changed_price_is_taken_and_told_and_comments_stay() -> None:
    old = LIST.replace("input_tokens = 0.02}", "input_tokens = 0.25}").replace(
        "checked_on = 2026-11-27", "checked_on = 2026-02-01\nknown_since = 2026-01-01"
    )
    text, changes = refreshed(old, "a list", CORRECTIONS, TODAY)
    assert text == LIST
    assert [str(change) for change in changes] == [
        "openai/text-embedding-3-small: $0.25 per million input tokens -> $0.02 per million input tokens"
    ]


def test_a_model_without_an_id_in_the_package_is_left_alone() -> None:
    ours = f"{TINY}\n{own('gpt-4o', '[{input_tokens = 77}]')}"
    assert refreshed(ours, "a list", CORRECTIONS, TODAY) == (ours, [])


def test_new_service_tiers_stand_with_their_model_above_the_heading_of_the_next_one() -> None:
    model = """[[models]]
id = "openai/gpt-4o"
name = "GPT-4o"
provider = "openai"
type = "text"
genai_prices_id = "openai/gpt-4o"
prices = [{input_tokens = 1, output_tokens = 1}]
source = "hand-written"
checked_on = 2026-01-01
"""
    text, _ = refreshed(f"{model}\n# The next one.\n\n{TINY}", "a list", CORRECTIONS, TODAY)
    before, heading, after = text.partition("\n# The next one.\n\n")
    assert (heading, after) == ("\n# The next one.\n\n", TINY)
    assert before.splitlines()[-1].startswith("service_tiers = {priority = [{from = 2026-10-12, ")


def test_every_heading_of_the_shipped_list_stands_right_above_a_model() -> None:
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    below = [line for before, line in pairwise(re.sub(r"\n+", "\n", shipped).splitlines()) if before.startswith("#")]
    assert [line for line in below if not line.startswith(("#", "[[models]]"))] == []


def test_service_tiers_that_the_package_does_not_have_go() -> None:
    old = LIST.replace(
        "checked_on = 2026-11-27", "checked_on = 2026-11-27\nservice_tiers = {batch = [{input_tokens = 9}]}"
    )
    text, changes = refreshed(old, "a list", CORRECTIONS, TODAY)
    assert text == LIST
    assert [change.old for change in changes] == [
        "$0.02 per million input tokens; batch $9.00 per million input tokens"
    ]


def test_every_model_that_the_package_has_no_price_for_is_named() -> None:
    unknown = LIST.replace(
        'genai_prices_id = "openai/text-embedding-3-small"', 'genai_prices_id = "github-copilot/gpt-4.1"'
    )
    wrong = f"{unknown}\n" + own("other", "[{input_tokens = 1}]").replace(
        "prices =", 'genai_prices_id = "no/such"\nprices ='
    )
    with pytest.raises(DataFileInvalid) as refusal:
        refreshed(wrong, "a list", CORRECTIONS, TODAY)
    assert refusal.value.problems == [
        "model 'openai/text-embedding-3-small': There is no price for 'github-copilot/gpt-4.1', so it cannot be "
        "charged. Choose another model.",
        f"model 'other': {PACKAGE} has no model 'no/such'",
    ]


def test_a_text_that_is_no_price_list_is_not_refreshed() -> None:
    with pytest.raises(DataFileInvalid, match="a list: lists no"):
        refreshed("# nothing\n", "a list", CORRECTIONS, TODAY)


# --- with a model more ----------------------------------------------------------------------------------------------

DEEPSEEK = f"""
[[models]]
id = "deepseek/deepseek-chat"
name = "DeepSeek Chat"
provider = "deepseek"
type = "text"
genai_prices_id = "deepseek/deepseek-chat"
prices = [{{input_tokens = 0.135, output_tokens = 0.55, cache_read_tokens = 0.035}}, {{utc_hours = ["00:30", "16:30"], \
input_tokens = 0.27, output_tokens = 1.1, cache_read_tokens = 0.07}}]
source = "{PACKAGE}, Deepseek: https://api-docs.deepseek.com/quick_start/pricing"
checked_on = 2026-11-27
context_tokens = 64000
"""


@pytest.mark.parametrize("name", ["deepseek/deepseek-chat", "deepseek-chat"])
def test_a_model_is_offered_at_the_end_of_the_list_by_any_of_its_names(name: str) -> None:
    assert with_model(LIST, name, CORRECTIONS, TODAY) == (LIST + DEEPSEEK, "deepseek/deepseek-chat")


def test_a_list_with_one_more_model_can_be_read_and_has_its_price() -> None:
    text, model_id = with_model(LIST, "deepseek-chat", CORRECTIONS, TODAY)
    assert list(parse_model_registry(text)) == ["tiny", "openai/text-embedding-3-small", "deepseek/deepseek-chat"]
    assert refreshed(text, "a list", CORRECTIONS, TODAY) == (text, [])
    assert without_model(text, model_id) == LIST + "\n"


@pytest.mark.parametrize("own_id", ["openai/text-embedding-3-small", "our-embedding"])
def test_a_model_that_is_offered_under_any_id_is_not_offered_twice(own_id: str) -> None:
    offered = LIST.replace('\nid = "openai/text-embedding-3-small"', f'\nid = "{own_id}"')
    with pytest.raises(InvalidRequest, match=r"^model: openai/text-embedding-3-small is offered already$"):
        with_model(offered, "text-embedding-3-small", CORRECTIONS, TODAY)


def test_a_model_of_our_own_with_the_same_id_is_not_offered_twice() -> None:
    offered = LIST + own("openai/gpt-4", "[{input_tokens = 1}]")
    with pytest.raises(InvalidRequest, match=r"^model: openai/gpt-4 is offered already$"):
        with_model(offered, "openai/gpt-4", CORRECTIONS, TODAY)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("no-such-model", UnknownModel),
        ("openai/no-such-model", UnknownModel),
        ("github-copilot/gpt-4.1", NoPrice),
        ("xiaomi/mimo-v2.5", AmbiguousModel),
    ],
)
def test_a_model_that_cannot_be_priced_is_not_offered(name: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        with_model(LIST, name, CORRECTIONS, TODAY)


def test_a_correction_of_ours_is_part_of_the_offered_price(tmp_path: Path) -> None:
    corrections = tmp_path / "corrections.toml"
    corrections.write_text(
        '[[corrections]]\nmodel = "deepseek/deepseek-chat"\nweekdays_only = true\nwhy = "Peak hours"\n'
        'source = "A test"\nchecked_on = 2026-11-26\n',
        encoding="utf-8",
    )
    text, _ = with_model(LIST, "deepseek-chat", corrections, TODAY)
    assert text == LIST + DEEPSEEK.replace('"16:30"],', '"16:30"], weekdays_only = true,').replace(
        'pricing"\nchecked', 'pricing; corrected 2026-11-26 from A test"\nchecked'
    )


# --- with a model less ----------------------------------------------------------------------------------------------

LAST = own("last", "[{input_tokens = 1}]")


@pytest.mark.parametrize(
    ("withdrawn", "rest"),
    [
        ("tiny", f"{HEAD}{HEADING}{CURRENT}\n# The last one.\n{LAST}# The end.\n"),
        ("openai/text-embedding-3-small", f"{HEAD}{TINY}\n{HEADING}# The last one.\n{LAST}# The end.\n"),
        ("last", f"{HEAD}{TINY}\n{HEADING}{CURRENT}\n# The last one.\n# The end.\n"),
    ],
)
def test_a_withdrawn_model_goes_and_every_other_line_stays(withdrawn: str, rest: str) -> None:
    assert without_model(f"{LIST}\n# The last one.\n{LAST}# The end.\n", withdrawn) == rest


def test_a_model_that_is_not_in_the_list_cannot_be_withdrawn() -> None:
    with pytest.raises(NotOffered):
        without_model(LIST, "gpt-4")


def test_the_last_model_cannot_be_withdrawn() -> None:
    with pytest.raises(InvalidRequest, match=r"^model: tiny is the last model that is offered$"):
        without_model(HEAD + TINY, "tiny")


# --- differences ----------------------------------------------------------------------------------------------------


def test_differences_say_which_names_are_mapped_by_hand() -> None:
    live = parse_model_registry(TINY)
    other = parse_model_registry(TINY + 'deployments = ["azure/tiny", "our-tiny"]\n')
    assert list(differences(live, other)) == ["~ tiny: deployments none -> azure/tiny, our-tiny"]
    assert list(differences(other, live)) == ["~ tiny: deployments azure/tiny, our-tiny -> none"]


def test_differences_say_what_comes_changes_and_goes() -> None:
    live = parse_model_registry(f"{TINY}{own('kept', '[{input_tokens = 1}]')}{own('gone', '[{output_tokens = 2}]')}")
    other = parse_model_registry(
        f"{own('kept', '[{input_tokens = 1.50}]')}{own('new', '[{audio_seconds = 3}]')}"
        + TINY.replace("run_price_credits = 5", "run_price_credits = 1_005")
    )
    assert list(differences(live, other)) == [
        "~ kept: $1.00 per million input tokens -> $1.50 per million input tokens",
        "+ new: $3.00 per hour of audio",
        "~ tiny: 5 credits per run -> 1,005 credits per run",
        "- gone: $2.00 per million output tokens",
    ]


def test_a_change_of_the_minimum_alone_can_be_seen() -> None:
    live, other = (
        parse_model_registry(own("m", f"[{{audio_seconds = 0.1, minimum_seconds = {least}}}]")) for least in (10, 20)
    )
    assert list(differences(live, other)) == [
        "~ m: $0.10 per hour of audio, at least 10 seconds -> $0.10 per hour of audio, at least 20 seconds"
    ]


def test_lists_with_the_same_prices_do_not_differ() -> None:
    renamed = LIST.replace('"Tiny"', '"Tinier"').replace("checked_on = 2026-01-01", "checked_on = 2026-02-02")
    assert list(differences(parse_model_registry(LIST), parse_model_registry(renamed))) == []


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        (
            "[{input_tokens = 10, output_tokens = 0.500}]",
            "$10.00 per million input tokens, $0.50 per million output tokens",
        ),
        (
            "[{input_tokens = {usd = 2, above = {200000 = 4, 400000 = 6}}}]",
            "$2.00 per million input tokens ($4.00 above 200,000 input tokens, $6.00 above 400,000 input tokens)",
        ),
        (
            "[{input_tokens = 2}, {from = 2026-12-01, input_tokens = 1}]",
            "$2.00 per million input tokens; from 2026-12-01: $1.00 per million input tokens",
        ),
        (
            '[{input_tokens = 2}, {utc_hours = ["01:00", "04:00"], weekdays_only = true, input_tokens = 1}]',
            "$2.00 per million input tokens; 01:00 to 04:00 UTC on weekdays: $1.00 per million input tokens",
        ),
        (
            "[{audio_seconds = 0.111, minimum_seconds = 10}]",
            "$0.111 per hour of audio, at least 10 seconds",
        ),
        (
            "[{input_tokens = 1, minimum_seconds = 10, requests = 12, input_document_pages = 1.125}]",
            "$1.00 per million input tokens, $1.125 per thousand input document pages, $12.00 per thousand requests",
        ),
        (
            "[{input_tokens = 2}]\nservice_tiers = {batch = [{input_tokens = 1}]}",
            "$2.00 per million input tokens; batch $1.00 per million input tokens",
        ),
    ],
)
def test_every_price_of_a_model_is_said_in_one_line(prices: str, words: str) -> None:
    live, other = parse_model_registry(TINY), parse_model_registry(TINY + own("m", prices))
    assert list(differences(live, other)) == [f"+ m: {words}"]
