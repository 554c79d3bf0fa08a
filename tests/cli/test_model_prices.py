"""Taking prices from the genai-prices package: every unit, time and service tier of them, and nothing by half."""

import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from pathlib import Path

import pytest
from genai_prices.types import (
    ConditionalPrice,
    PriceVariant,
    StartDateConstraint,
    TimeOfDateConstraint,
)

from credits_core import settings
from credits_core.cli.model_prices import refresh
from credits_core.errors import DataFileInvalid
from credits_core.prices import package as price_package
from credits_core.prices.corrections import load_corrections
from credits_core.pricing.models_toml import load_model_registry
from tests.support.price_package import carried, one_model, usd
from tests.support.prices import by_usage, usage_price

MODELS = Path(__file__).resolve().parent.parent.parent / "data" / "models.toml"
TODAY = date(2026, 3, 1)

# --- the file of the repository -------------------------------------------------------------------------------------

TAKEN = {row["id"]: row for row in tomllib.loads(MODELS.read_text(encoding="utf-8"))["models"] if "prices" in row}


def test_every_price_by_usage_of_the_repository_is_taken_from_the_package() -> None:
    assert [model_id for model_id, row in TAKEN.items() if "genai_prices_id" not in row] == []


@pytest.mark.parametrize("model_id", TAKEN)
def test_a_model_of_the_repository_has_the_packages_prices_with_our_correction(model_id: str) -> None:
    # That these cost what the package computes, to the credit, is proved in tests/prices/test_package.py.
    package_id = TAKEN[model_id]["genai_prices_id"]
    theirs = price_package.prices_of(package_id)
    assert theirs is not None
    correction = load_corrections(settings.PRICE_CORRECTIONS_FILE).get(package_id)
    expected = theirs if correction is None else correction.applied_to(theirs)
    assert load_model_registry(MODELS)[model_id].prices == expected


def test_the_repositorys_file_is_what_a_refresh_on_its_day_writes(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_bytes(MODELS.read_bytes())
    checked_on = load_model_registry(MODELS)["openai/gpt-4o"].checked_on
    assert checked_on is not None
    assert refresh(path, checked_on) == []
    assert path.read_text(encoding="utf-8") == MODELS.read_text(encoding="utf-8")


# --- prices that change ---------------------------------------------------------------------------------------------


@pytest.fixture
def package() -> Iterator[Callable[..., None]]:
    """Puts models and prices of the test's own in the place of those that the package carries."""
    with carried() as carry:
        yield carry


HAND_WRITTEN = """\
# Written by hand.

[[models]]
id = "maker/a"      # the first
name = "A"
provider = "maker"
type = "text"
genai_prices_id = "maker/a"
prices = [{input_tokens = 1, output_tokens = 10}]
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
prices = [ { output_tokens = 3.0, input_tokens = 0.50 } ]
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
prices = [{input_tokens = 1, output_tokens = 3, requests = 5}]
source = "genai-prices 0.0.1"
checked_on = 2026-01-01
# The end.
"""
REFRESHED = {
    "[{input_tokens = 1, output_tokens = 10}]": "[{input_tokens = 2.5, output_tokens = 10, cache_read_tokens = 1.25}]",
    "[{input_tokens = 1, output_tokens = 3, requests = 5}]": (
        "[{input_tokens = {usd = 1, above = {100000 = 2, 200000 = 2.5}}, "
        "output_tokens = {usd = 3, above = {100000 = 4.5}}, requests = 12}]"
    ),
    "genai-prices 0.0.1": f"genai-prices {version('genai-prices')}, Maker Inc: https://maker.example/prices",
    # The only price that is unchanged is known since it was first checked.
    "2026-01-01": "2026-03-01",
    '2026-03-01\nid = "maker/b"': '2026-03-01\nknown_since = 2026-01-01\nid = "maker/b"',
}


def test_a_refresh_rewrites_prices_sources_and_days_and_leaves_the_rest_as_it_was(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(
        a=usd(input_mtok="2.50", output_mtok="1E+1", cache_read_mtok="1.25"),
        b=usd(input_mtok="0.5", output_mtok="3"),
        c=usd(
            input_mtok=("1", {100_000: "2", 200_000: "2.5"}), output_mtok=("3", {100_000: "4.5"}), requests_kcount="12"
        ),
    )
    path = tmp_path / "models.toml"
    path.write_text(HAND_WRITTEN, encoding="utf-8")

    changes = refresh(path, TODAY)

    expected = HAND_WRITTEN
    for before, after in REFRESHED.items():
        expected = expected.replace(before, after)
    assert path.read_text(encoding="utf-8") == expected
    assert [str(change) for change in changes] == [
        "maker/a: $1.00 per million input tokens, $10.00 per million output tokens -> $2.50 per million "
        "input tokens, $10.00 per million output tokens, $1.25 per million cache read tokens",
        "maker/c: $1.00 per million input tokens, $3.00 per million output tokens, $5.00 per thousand "
        "requests -> $1.00 per million input tokens ($2.00 above 100,000 input tokens, $2.50 above 200,000 "
        "input tokens), $3.00 per million output tokens ($4.50 above 100,000 input tokens), $12.00 per "
        "thousand requests",
    ]
    assert load_model_registry(path)["maker/c"].prices == by_usage(
        input_tokens=("1", {100_000: "2", 200_000: "2.5"}), output_tokens=("3", {100_000: "4.5"}), requests="12"
    )


def test_a_second_refresh_changes_nothing_on_the_same_day_and_only_the_days_on_the_next(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(
        a=[
            ConditionalPrice(prices=usd(input_mtok=("1.1", {5: "2.2"}), output_mtok="3")),
            ConditionalPrice(StartDateConstraint(date(2026, 12, 1)), prices=usd(input_mtok="7")),
        ],
        tiers=[PriceVariant({"service_tier": "flex"}, usd(input_mtok="0.5"))],
    )
    path = one_model(tmp_path)
    assert len(refresh(path, TODAY)) == 1
    once = path.read_bytes()
    assert refresh(path, TODAY) == []
    assert path.read_bytes() == once
    assert refresh(path, date(2026, 3, 2)) == []
    assert path.read_bytes() == once.replace(
        b"checked_on = 2026-03-01", b"checked_on = 2026-03-02\nknown_since = 2026-03-01"
    )


def written(path: Path) -> dict[str, str]:
    """The lines of the one model that a refresh writes, by key."""
    lines = (line.partition(" = ") for line in path.read_text(encoding="utf-8").splitlines())
    return {key: text for key, _, text in lines if key in ("prices", "service_tiers")}


def test_prices_from_a_day_on_and_at_hours_are_all_written_whatever_the_day_of_the_refresh(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(
        a=[
            ConditionalPrice(prices=usd(input_mtok="1.5", output_mtok="2")),
            ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=usd(input_mtok="7", output_mtok="2")),
            ConditionalPrice(
                TimeOfDateConstraint(time(16, 30, tzinfo=UTC), time(0, 30, tzinfo=UTC)), prices=usd(input_mtok="1")
            ),
        ]
    )
    path = one_model(tmp_path)
    (change,) = refresh(path, date(2020, 1, 1))
    assert written(path) == {
        "prices": "[{input_tokens = 1.5, output_tokens = 2}, {from = 2026-03-01, input_tokens = 7, output_tokens = 2}, "
        '{utc_hours = ["16:30", "00:30"], input_tokens = 1}]'
    }
    assert str(change) == (
        "maker/a: $1.00 per million input tokens, $2.00 per million output tokens -> $1.50 per million input "
        "tokens, $2.00 per million output tokens; from 2026-03-01: $7.00 per million input tokens, $2.00 per "
        "million output tokens; "
        "16:30 to 00:30 UTC: $1.00 per million input tokens"
    )
    model = load_model_registry(path)["maker/a"]
    assert [
        model.price_for((("input_tokens", 1),), at)
        for at in (
            datetime(2026, 2, 28, 12, tzinfo=UTC),
            datetime(2026, 3, 1, 12, tzinfo=UTC),
            datetime(2026, 3, 1, 17, tzinfo=UTC),
        )
    ] == [
        usage_price(input_tokens="1.5", output_tokens="2"),
        usage_price(input_tokens="7", output_tokens="2"),
        usage_price(input_tokens="1"),
    ]


def test_service_tiers_are_written_beside_the_prices_and_go_when_the_package_drops_them(
    package: Callable[..., None], tmp_path: Path
) -> None:
    tiers = [
        PriceVariant({"service_tier": "flex"}, usd(input_mtok="0.5", output_mtok="1")),
        PriceVariant({"processing": "batch"}, usd(input_mtok="0.4"), StartDateConstraint(date(2026, 10, 14))),
        PriceVariant({"speed": "fast"}, usd(input_mtok="6")),
        # What no response says is no tier.
        PriceVariant({"search_context_size": "low"}, usd(requests_kcount="5")),
        PriceVariant({"service_tier": "flex", "speed": "fast"}, usd(input_mtok="9")),
    ]
    package(a=usd(input_mtok="1", output_mtok="2"), tiers=tiers)
    path = one_model(tmp_path)
    (change,) = refresh(path, TODAY)
    assert written(path) == {
        "prices": "[{input_tokens = 1, output_tokens = 2}]",
        "service_tiers": "{flex = [{input_tokens = 0.5, output_tokens = 1}], "
        "batch = [{from = 2026-10-14, input_tokens = 0.4}], fast = [{input_tokens = 6}]}",
    }
    assert str(change) == (
        "maker/a: $1.00 per million input tokens, $2.00 per million output tokens -> $1.00 per million input "
        "tokens, $2.00 per million output tokens; flex $0.50 per million input tokens, $1.00 per million "
        "output tokens; "
        "batch from 2026-10-14: $0.40 per million input tokens; fast $6.00 per million input tokens"
    )

    package(a=usd(input_mtok="1", output_mtok="2"))
    assert len(refresh(path, TODAY)) == 1
    assert written(path) == {"prices": "[{input_tokens = 1, output_tokens = 2}]"}


def test_units_that_are_not_tokens_are_prices_like_any_other(package: Callable[..., None], tmp_path: Path) -> None:
    package(
        a=usd(
            audio_hours="0.111",
            input_document_kpages="2",
            web_searches_kcount="10",
            cache_audio_read_mtok="0.2",
            input_gpixels="0.000000000001",
            output_mtok="0",
        )
    )
    path = one_model(tmp_path)
    assert len(refresh(path, TODAY)) == 1
    assert written(path) == {
        "prices": "[{output_tokens = 0, cache_audio_read_tokens = 0.2, audio_seconds = 0.111, "
        "input_pixels = 0.000000000001, input_document_pages = 2, web_searches = 10}]"
    }


@pytest.mark.parametrize(
    ("price", "row"),
    [("1000", "{input_tokens = 1000}"), ("1000.5", "{confirmed = true, input_tokens = 1000.5}")],
)
def test_a_price_of_the_package_above_a_thousand_dollars_is_written_as_one_that_is_meant(
    package: Callable[..., None], tmp_path: Path, price: str, row: str
) -> None:
    package(a=usd(input_mtok=price))
    path = one_model(tmp_path)
    refresh(path, TODAY)
    assert written(path) == {"prices": f"[{row}]"}
    assert load_model_registry(path)["maker/a"].prices == by_usage(input_tokens=price)


def test_a_correction_of_ours_is_written_and_named_as_a_source(
    package: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(
        a=[
            ConditionalPrice(prices=usd(input_mtok="1", output_mtok="2")),
            ConditionalPrice(TimeOfDateConstraint(time(1), time(4)), prices=usd(input_mtok="2", output_mtok="4")),
        ]
    )
    corrections = tmp_path / "corrections.toml"
    corrections.write_text(
        "[[corrections]]\nmodel = 'maker/a'\nweekdays_only = true\nwhy = 'weekends are cheap'\n"
        "source = 'Maker docs'\nchecked_on = 2026-02-02\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(settings, "PRICE_CORRECTIONS_FILE", corrections)
    path = one_model(tmp_path)
    (change,) = refresh(path, TODAY)
    assert written(path) == {
        "prices": "[{input_tokens = 1, output_tokens = 2}, "
        '{utc_hours = ["01:00", "04:00"], weekdays_only = true, input_tokens = 2, output_tokens = 4}]'
    }
    assert change.new == (
        "$1.00 per million input tokens, $2.00 per million output tokens; 01:00 to 04:00 UTC on weekdays: "
        "$2.00 per million input tokens, $4.00 per million output tokens"
    )
    assert load_model_registry(path)["maker/a"].source == (
        f"genai-prices {version('genai-prices')}, Maker Inc: https://maker.example/prices; "
        "corrected 2026-02-02 from Maker docs"
    )

    package(a=usd(input_mtok="1", output_mtok="2"))
    before = path.read_bytes()
    with pytest.raises(DataFileInvalid) as caught:
        refresh(path, TODAY)
    assert caught.value.problems == [
        f"model 'maker/a': {corrections}: the correction of maker/a changes nothing; if the package is right now, take "
        "it out"
    ]
    assert path.read_bytes() == before
