"""Taking prices from the genai-prices package: what is refused, and a file that cannot be written."""

from collections.abc import Callable, Iterator
from datetime import date, time, timedelta, timezone
from pathlib import Path

import pytest
from genai_prices.types import (
    ConditionalPrice,
    ModelPrice,
    StartDateConstraint,
    TimeOfDateConstraint,
)

from credits_core.cli.model_prices import refresh
from credits_core.errors import DataFileInvalid
from credits_core.prices import package as price_package
from tests.support.price_package import ONE_MODEL, carried, one_model, usd

TODAY = date(2026, 3, 1)


@pytest.fixture
def package() -> Iterator[Callable[..., None]]:
    """Puts models and prices of the test's own in the place of those that the package carries."""
    with carried() as carry:
        yield carry


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "problem"),
    [
        (usd(), "There is no price for 'maker/a', so it cannot be charged. Choose another model."),
        (usd(phases_of_the_moon="3"), "has a price for the unknown unit phases_of_the_moon"),
        (
            [
                ConditionalPrice(prices=usd(input_mtok="1")),
                ConditionalPrice(
                    TimeOfDateConstraint(
                        time(1, tzinfo=timezone(timedelta(hours=8))), time(4, tzinfo=timezone(timedelta(hours=8)))
                    ),
                    prices=usd(input_mtok="2"),
                ),
            ],
            "has hours that are not UTC: 01:00:00+08:00 to 04:00:00+08:00",
        ),
        (
            [ConditionalPrice("on Sundays", prices=usd(input_mtok="1"))],  # type: ignore[arg-type]
            "has a price with an unknown condition: 'on Sundays'",
        ),
        (
            [
                ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=usd(input_mtok="1")),
                ConditionalPrice(prices=usd(input_mtok="2")),
            ],
            "the first of its prices holds whenever no other does, so it has no condition",
        ),
        (usd(input_mtok="-1"), "input_tokens must be from 0 to 1,000,000 dollars, not -1"),
        (usd(input_mtok="0.0000000000001"), "input_tokens must have at most twelve decimals, not 1E-13"),
    ],
)
def test_a_price_that_the_file_cannot_hold_is_refused_and_nothing_is_written(
    package: Callable[..., None], tmp_path: Path, price: ModelPrice | list[ConditionalPrice], problem: str
) -> None:
    package(a=price)
    path = one_model(tmp_path)
    with pytest.raises(DataFileInvalid) as caught:
        refresh(path, TODAY)
    (said,) = caught.value.problems
    assert said.startswith("model 'maker/a': ")
    assert said.endswith(problem)
    assert path.read_text(encoding="utf-8") == ONE_MODEL
    assert [*tmp_path.iterdir()] == [path]


def test_whoever_asks_the_package_for_a_price_that_we_cannot_express_is_refused_by_name(
    package: Callable[..., None],
) -> None:
    package(a=usd(phases_of_the_moon="3"))
    with pytest.raises(DataFileInvalid) as caught:
        price_package.prices_of("maker/a")
    assert caught.value.problems == ["maker/a has a price for the unknown unit phases_of_the_moon"]


def test_every_model_with_a_problem_is_listed_and_not_even_the_good_ones_are_written(
    package: Callable[..., None], tmp_path: Path
) -> None:
    package(a=usd(moons="1"), b=usd(input_mtok="9", output_mtok="9"), c=usd(), d2=usd(output_mtok="1"))
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


def test_a_model_of_the_real_package_without_a_price_is_refused(tmp_path: Path) -> None:
    without = next(one for one in price_package.ids() if price_package.prices_of(one) is None)
    path = tmp_path / "models.toml"
    path.write_text(ONE_MODEL.replace('genai_prices_id = "maker/a"', f'genai_prices_id = "{without}"'))
    with pytest.raises(DataFileInvalid, match=f"model 'maker/a': There is no price for '{without}'"):
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
