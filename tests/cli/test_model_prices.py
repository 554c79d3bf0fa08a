"""Taking token prices from the genai-prices package: exactly what it computes, and nothing that we could not charge."""

import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from credits_core.cli.model_prices import refresh
from credits_core.errors import DataFileInvalid
from credits_core.pricing.models import TokenPrice, load_model_registry

MODELS = Path(__file__).resolve().parent.parent.parent / "data" / "models.toml"
TODAY = date(2026, 3, 1)

# --- the file of the repository -------------------------------------------------------------------------------------

TAKEN = {row["id"]: row for row in tomllib.loads(MODELS.read_text(encoding="utf-8"))["models"] if "prices" in row}


def test_every_token_price_of_the_repository_is_taken_from_the_package() -> None:
    assert [model_id for model_id, row in TAKEN.items() if "genai_prices_id" not in row] == []


@pytest.mark.parametrize("model_id", TAKEN)
def test_a_run_costs_what_the_package_computes_in_dollars_rounded_up_to_a_credit(model_id: str) -> None:
    model = load_model_registry(MODELS)[model_id]
    provider_id, _, their_id = TAKEN[model_id]["genai_prices_id"].partition("/")
    bounds = [price.above_input_tokens for price in model.prices if isinstance(price, TokenPrice)]
    counts = {0, 1, 7, 1_020, 14_050, *(bound + step for bound in bounds for step in (-1, 0, 1) if bound + step > 0)}
    for input_tokens in sorted(counts):
        for output_tokens in (0, 1, 129, 1_000):
            if input_tokens == output_tokens == 0:
                continue
            theirs = calc_price(
                Usage(input_tokens=input_tokens, output_tokens=output_tokens),
                their_id,
                provider_id=provider_id,
                genai_request_timestamp=datetime.combine(model.checked_on, time(15), UTC),
            )
            assert theirs.model.id == their_id
            exact_credits = theirs.total_price * 1_000_000
            assert model.price_for(input_tokens).inference_cost(input_tokens, output_tokens) == int(
                exact_credits.to_integral_value(ROUND_CEILING)
            ), (input_tokens, output_tokens)


def test_the_repositorys_file_is_what_a_refresh_on_its_day_writes(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_bytes(MODELS.read_bytes())
    assert refresh(path, load_model_registry(MODELS)["openai/gpt-4o"].checked_on) == []
    assert path.read_text(encoding="utf-8") == MODELS.read_text(encoding="utf-8")


# --- a small package and a small file -------------------------------------------------------------------------------


def usd(**prices: str | tuple[str, dict[int, str]]) -> ModelPrice:
    """A price of the package: a number, or a number and the numbers above so many input tokens."""
    return ModelPrice(
        **{
            key: Decimal(price)
            if isinstance(price, str)
            else TieredPrices(Decimal(price[0]), [Tier(start, Decimal(above)) for start, above in price[1].items()])
            for key, price in prices.items()
        }
    )


@pytest.fixture
def package() -> Iterator[Callable[..., None]]:
    """Puts models and prices of the test's own in the place of those that the package carries."""

    def carry(**prices: ModelPrice | list[ConditionalPrice]) -> None:
        models = [ModelInfo(name, ClauseEquals(name), prices=price) for name, price in prices.items()]
        provider = Provider("maker", "Maker Inc", r"https://maker\.example", ["https://maker.example/prices"])
        provider.models = models
        set_custom_snapshot(DataSnapshot([provider], from_auto_update=False))

    yield carry
    set_custom_snapshot(None)


ONE_MODEL = """\
[[models]]
id = "maker/a"
name = "A"
provider = "maker"
type = "text"
genai_prices_id = "maker/a"
prices = [{input_usd_per_mtok = 1, output_usd_per_mtok = 2}]
source = "genai-prices 0.0.1"
checked_on = 2026-01-01
"""


def one_model(tmp_path: Path, *names: str) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(
        "".join(ONE_MODEL.replace("maker/a", f"maker/{name}") for name in names or ("a",)), encoding="utf-8"
    )
    return path


HAND_WRITTEN = """\
# Written by hand.

[[models]]
id = "maker/a"      # the first
name = "A"
provider = "maker"
type = "text"
genai_prices_id = "maker/a"
prices = [{input_usd_per_mtok = 1, output_usd_per_mtok = 10}]
source = "genai-prices 0.0.1"
checked_on = 2026-01-01   # long ago

# Its price is still right, in somebody's own way of writing.
[[models]]
checked_on = 2026-01-01
id = "maker/b"
name = 'B'
provider = "maker"
type = "text"
genai_prices_id = "maker/b"
prices = [ { output_usd_per_mtok = 3.0, input_usd_per_mtok = 0.50 } ]
source = "genai-prices 0.0.1"

[[models]]
id = "drawing"
name = "Drawing"
provider = "maker"
type = "image"
run_price_credits = 1_000
source = "specification"
checked_on = 2025-05-05

[[models]]
id = "maker/c"
name = "C"
provider = "maker"
type = "text"
genai_prices_id = "maker/c"
prices = [{input_usd_per_mtok = 1, output_usd_per_mtok = 3, request_usd_per_thousand = 5}]
source = "genai-prices 0.0.1"
checked_on = 2026-01-01
# The end.
"""
REFRESHED = {
    "[{input_usd_per_mtok = 1, output_usd_per_mtok = 10}]": "[{input_usd_per_mtok = 2.5, output_usd_per_mtok = 10}]",
    "[{input_usd_per_mtok = 1, output_usd_per_mtok = 3, request_usd_per_thousand = 5}]": """[
    {input_usd_per_mtok = 1, output_usd_per_mtok = 3, request_usd_per_thousand = 12},
    {above_input_tokens = 100_000, input_usd_per_mtok = 2, output_usd_per_mtok = 4.5, request_usd_per_thousand = 12},
]""",
    "genai-prices 0.0.1": f"genai-prices {version('genai-prices')}, Maker Inc: https://maker.example/prices",
    "2026-01-01": "2026-03-01",
}


def test_a_refresh_rewrites_prices_sources_and_days_and_leaves_the_rest_as_it_was(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(
        a=usd(input_mtok="2.50", output_mtok="1E+1"),
        b=usd(input_mtok="0.5", output_mtok="3"),
        c=usd(input_mtok=("1", {100_000: "2"}), output_mtok=("3", {100_000: "4.5"}), requests_kcount="12"),
    )
    path = tmp_path / "models.toml"
    path.write_text(HAND_WRITTEN, encoding="utf-8")

    changes = refresh(path, TODAY)

    expected = HAND_WRITTEN
    for before, after in REFRESHED.items():
        expected = expected.replace(before, after)
    assert path.read_text(encoding="utf-8") == expected
    assert [str(change) for change in changes] == [
        "maker/a: $1 in, $10 out -> $2.5 in, $10 out",
        "maker/c: $1 in, $3 out + $5 per 1,000 requests -> $1 in, $3 out + $12 per 1,000 requests; "
        "above 100,000 input tokens $2 in, $4.5 out + $12 per 1,000 requests",
    ]


def test_a_second_refresh_changes_nothing_on_the_same_day_and_the_next_day_the_day_alone(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(a=usd(input_mtok=("1.1", {5: "2.2"}), output_mtok=("3", {5: "4"})))
    path = one_model(tmp_path)
    assert len(refresh(path, TODAY)) == 1
    once = path.read_bytes()
    assert refresh(path, TODAY) == []
    assert path.read_bytes() == once
    assert refresh(path, date(2026, 3, 2)) == []
    assert path.read_bytes() == once.replace(b"checked_on = 2026-03-01", b"checked_on = 2026-03-02")


@pytest.mark.parametrize(("today", "input_usd"), [(date(2026, 2, 28), "1.5"), (TODAY, "7"), (date(2026, 3, 2), "7")])
def test_a_price_holds_from_its_first_day(
    package: Callable[..., None], tmp_path: Path, today: date, input_usd: str
) -> None:
    package(
        a=[
            ConditionalPrice(prices=usd(input_mtok="1.5", output_mtok="2")),
            ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=usd(input_mtok="7", output_mtok="2")),
        ]
    )
    path = one_model(tmp_path)
    refresh(path, today)
    assert load_model_registry(path)["maker/a"].prices == (TokenPrice(Decimal(input_usd), Decimal(2)),)


def test_charges_that_a_text_run_has_to_ask_for_are_no_part_of_the_price(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(
        a=usd(
            input_mtok="1",
            output_mtok="2",
            cache_read_mtok="0.1",
            cache_write_mtok="1.25",
            cache_write_1h_mtok="2",
            cache_audio_read_mtok="0.2",
            input_audio_mtok="3",
            output_image_mtok="4",
            input_video_mtok="5",
            web_searches_kcount="10",
            social_searches_kcount="10",
            storage_searches_kcount="2.5",
            code_executions_kcount="3",
        )
    )
    assert refresh(one_model(tmp_path), TODAY) == []


# --- what is refused ------------------------------------------------------------------------------------------------

OFF_PEAK = [
    ConditionalPrice(prices=usd(input_mtok="2", output_mtok="4")),
    ConditionalPrice(TimeOfDateConstraint(time(16, 30), time(0, 30)), prices=usd(input_mtok="1", output_mtok="2")),
]


@pytest.mark.parametrize(
    ("price", "problem"),
    [
        (OFF_PEAK, "has a price that depends on the time of day; take it from a provider with one price"),
        (usd(input_mtok="1"), "has no price per input token and output token"),
        (usd(output_mtok="1"), "has no price per input token and output token"),
        (usd(input_mtok="0", output_mtok="1"), "has no price per input token and output token"),
        (
            usd(input_mtok=("1", {100: "2"}), output_mtok=("3", {200: "4"})),
            "has long-prompt rates above [0, 100] tokens for input, but above [0, 200] for output",
        ),
        (
            usd(input_mtok=("1", {100: "2"}), output_mtok="3"),
            "has long-prompt rates above [0, 100] tokens for input, but above [0] for output",
        ),
        (
            usd(input_mtok="1", output_mtok="2", output_reasoning_mtok="3", output_citation_mtok="1"),
            "is also charged by output_citation_mtok, output_reasoning_mtok, in a way that models.toml cannot express",
        ),
        (
            usd(input_mtok="1", output_mtok="2", audio_hours="3"),
            "is also charged by audio_hours, in a way that models.toml cannot express",
        ),
        (
            usd(input_mtok="1", output_mtok="2", phases_of_the_moon="3"),
            "is also charged by phases_of_the_moon, in a way that models.toml cannot express",
        ),
        (
            usd(input_mtok=("1", {9: "2"}), output_mtok=("1", {9: "2"}), requests_kcount=("3", {9: "4"})),
            "is also charged by requests_kcount, in a way that models.toml cannot express",
        ),
        (
            usd(input_mtok=("0", {9: "1"}), output_mtok=("1", {9: "2"})),
            "a price per million tokens must be above 0; a free model cannot be charged for",
        ),
        (
            usd(input_mtok="0.0000000001", output_mtok="1"),
            "input_usd_per_mtok must have at most nine decimals, not 1E-10",
        ),
    ],
)
def test_a_price_that_the_file_cannot_hold_is_refused_and_nothing_is_written(
    package: Callable[..., None], tmp_path: Path, price: ModelPrice | list[ConditionalPrice], problem: str
) -> None:
    package(a=price)
    path = one_model(tmp_path)
    with pytest.raises(DataFileInvalid) as caught:
        refresh(path, TODAY)
    assert caught.value.problems == [f"model 'maker/a': {problem}"]
    assert path.read_text(encoding="utf-8") == ONE_MODEL
    assert [*tmp_path.iterdir()] == [path]


def test_every_model_with_a_problem_is_listed_and_not_even_the_good_ones_are_written(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(a=OFF_PEAK, b=usd(input_mtok="9", output_mtok="9"), c=usd(input_mtok="1"), d2=usd(output_mtok="1"))
    path = one_model(tmp_path, "a", "b", "c", "d")
    before = path.read_bytes()
    with pytest.raises(DataFileInvalid) as caught:
        refresh(path, TODAY)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "model 'maker/a'", "model 'maker/c'", "model 'maker/d'"
    ]  # fmt: skip
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "genai_prices_id", ["openai/gpt-4o-", "openai/gpt", "nobody/gpt-4o", "gpt-4o", "/", "openai/GPT-4o"]
)
def test_a_model_that_the_package_does_not_have_is_refused_however_similar_its_name(
    tmp_path: Path, genai_prices_id: str
) -> None:
    path = tmp_path / "models.toml"
    path.write_text(ONE_MODEL.replace('genai_prices_id = "maker/a"', f'genai_prices_id = "{genai_prices_id}"'))
    with pytest.raises(DataFileInvalid, match=f"model 'maker/a': genai-prices .* has no model '{genai_prices_id}'"):
        refresh(path, TODAY)


@pytest.mark.parametrize(
    ("genai_prices_id", "problem"),
    [
        ("deepseek/deepseek-v4-pro", "has a price that depends on the time of day"),
        ("openai/text-embedding-3-small", "has no price per input token and output token"),
        ("perplexity/sonar-deep-research", "is also charged by output_citation_mtok, output_reasoning_mtok"),
    ],
)
def test_models_of_the_real_package_that_cannot_be_charged_are_refused(
    tmp_path: Path, genai_prices_id: str, problem: str
) -> None:
    path = tmp_path / "models.toml"
    path.write_text(ONE_MODEL.replace('genai_prices_id = "maker/a"', f'genai_prices_id = "{genai_prices_id}"'))
    with pytest.raises(DataFileInvalid, match=f"model 'maker/a': {problem}"):
        refresh(path, TODAY)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[[models", "is not TOML"),
        (b'name = "\xe9"', "cannot be read: 'utf-8' codec"),
        (ONE_MODEL.replace('name = "A"', "name = 7").encode(), "name must be a text, not 7"),
        (b"", r"lists no \[\[models\]\]"),
    ],
)
def test_a_file_that_is_no_registry_is_refused_and_kept(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "models.toml"
    path.write_bytes(content)
    with pytest.raises(DataFileInvalid, match=problem):
        refresh(path, TODAY)
    assert path.read_bytes() == content


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match=r"cannot be read: .*No such file"):
        refresh(tmp_path / "models.toml", TODAY)


# --- writing the file -----------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(
    package: Callable[..., None], tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource", reason="this system cannot limit the size of a file")
    package(a=usd(input_mtok="9", output_mtok="9"))
    path = one_model(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(DataFileInvalid, match=r"cannot be written: .*File too large"):
            refresh(path, TODAY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text(encoding="utf-8") == ONE_MODEL
    assert [*tmp_path.iterdir()] == [path]


def test_whoever_could_read_the_file_before_can_read_it_afterwards(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(a=usd(input_mtok="9", output_mtok="9"))
    path = one_model(tmp_path)
    path.chmod(0o644)
    mode = path.stat().st_mode
    refresh(path, TODAY)
    assert path.stat().st_mode == mode
    assert [*tmp_path.iterdir()] == [path]


def test_whoever_is_reading_the_file_meanwhile_reads_the_old_one_whole(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(a=usd(input_mtok="9", output_mtok="9"))
    path = one_model(tmp_path)
    with path.open(encoding="utf-8") as reader:
        refresh(path, TODAY)
        assert reader.read() == ONE_MODEL
