"""The screen Models: every price of one model, how it changed, and models that cannot be priced."""

from sqlalchemy import Engine

from credits_core import settings
from credits_core.prices.list_toml import without_model
from tests.support import price_package, world
from tests.support.models_screen import ids, page_for, select
from tests.support.page_driver import (
    button_labels,
    captions,
    charts,
    click,
    small_tables,
)
from tests.support.prices import per_run_list

TINY = per_run_list()
PRICES = "Every price of the model"
EMBEDDING = "openai/text-embedding-3-small"


def test_a_selected_model_shows_every_price_and_where_it_is_from(untouched: Engine) -> None:
    page = select(page_for(search="openai/gpt-4o"), "openai/gpt-4o")
    assert [heading.value for heading in page.header] == ["GPT\\-4o \\(per token\\)"]
    assert small_tables(page)[PRICES] == [
        ("Standard", "Input tokens", "\\$2.50 per million", "always"),
        ("Standard", "Output tokens", "\\$10.00 per million", "always"),
        ("Standard", "Cache read tokens", "\\$1.25 per million", "always"),
        ("Standard", "Web searches", "\\$10.00 per thousand", "always"),
        ("Standard", "Storage searches", "\\$2.50 per thousand", "always"),
        ("Priority", "Input tokens", "\\$4.25 per million", "from 2026-10-12"),
        ("Priority", "Output tokens", "\\$17.00 per million", "from 2026-10-12"),
        ("Priority", "Cache read tokens", "\\$2.125 per million", "from 2026-10-12"),
        ("Fast", "Input tokens", "\\$4.25 per million", "from 2026-10-12"),
        ("Fast", "Output tokens", "\\$17.00 per million", "from 2026-10-12"),
        ("Fast", "Cache read tokens", "\\$2.125 per million", "from 2026-10-12"),
        ("Batch", "Input tokens", "\\$1.25 per million", "from 2026-10-14"),
        ("Batch", "Output tokens", "\\$5.00 per million", "from 2026-10-14"),
    ]
    said = captions(page)
    assert "](https://developers.openai.com/api/docs/pricing), checked 2026-11-26" in said
    assert (
        "A typical run costs a user 4,608 credits (\\$0.004608) under promptflow\\-v1: 1,020 input tokens "
        "and 129 output "
        "tokens." in said
    )
    assert "No day and no live price list has changed its standard prices." in said
    assert charts(page) == []


def test_hours_and_the_context_of_a_model_are_shown(untouched: Engine) -> None:
    page = select(page_for(search="deepseek/deepseek-chat", scope="All"), "deepseek/deepseek-chat")
    assert small_tables(page)[PRICES][::3] == [
        ("Standard", "Input tokens", "\\$0.135 per million", "always"),
        ("Standard", "Input tokens", "\\$0.27 per million", "00:30 to 16:30 UTC"),
    ]
    assert "64,000 tokens of context" in captions(page)
    assert "Offer model" in button_labels(page)


def test_a_higher_price_for_long_prompts_is_shown(untouched: Engine) -> None:
    page = select(page_for(search="anthropic/claude-opus-4-6", scope="All"), "anthropic/claude-opus-4-6")
    assert small_tables(page)[PRICES][0] == (
        "Standard", "Input tokens", "\\$5.00 per million (\\$10.00 above 200,000 input tokens)", "always"
    )  # fmt: skip


def test_a_price_that_changes_is_drawn_as_steps(untouched: Engine) -> None:
    page = select(page_for(search="google/gemini-3.6-flash", scope="All"), "google/gemini-3.6-flash")
    (figure,) = charts(page)
    drawn = {line["name"]: (line["y"], line["line"]["shape"]) for line in figure["data"]}
    assert drawn == {
        "Input tokens": ([0.75, 1.5, 1.5], "hv"),
        "Output tokens": ([3.75, 7.5, 7.5], "hv"),
        "Cache read tokens": ([0.075, 0.15, 0.15], "hv"),
    }
    assert {line["x"][1] for line in figure["data"]} == {"2027-01-01"}


def test_the_prices_of_all_lists_that_were_live_are_drawn(ledger: Engine) -> None:
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    for toml in (shipped.replace("input_tokens = 0.02}", "input_tokens = 0.05}"), without_model(shipped, EMBEDDING)):
        world.make_prices_live(ledger, toml)
    world.make_prices_live(ledger, shipped)
    (figure,) = charts(select(page_for(search=EMBEDDING), EMBEDDING))
    ((name, y, connected),) = ((line["name"], line["y"], line.get("connectgaps", False)) for line in figure["data"])
    # Not offered is a gap, up to which the price goes on.
    assert (name, y, connected) == ("Input tokens", [0.02, 0.05, 0.05, None, 0.02, 0.02], False)
    assert figure["layout"]["yaxis"]["title"]["text"] == "dollars per million tokens"


def test_prices_by_page_and_per_run_have_axes_of_their_own(ledger: Engine) -> None:
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    ocr = "mistral/mistral-ocr-latest"
    dearer = shipped.replace("= 30_000", "= 40_000", 1).replace("input_document_pages = ", "input_document_pages = 9")
    world.make_prices_live(ledger, dearer)
    (figure,) = charts(select(page_for(search=ocr), ocr))
    assert figure["layout"]["yaxis"]["title"]["text"] == "dollars per thousand input document pages"
    (figure,) = charts(select(page_for(search="gpt-4"), "gpt-4"))
    assert figure["layout"]["yaxis"]["title"]["text"] == "credits per run"
    assert [line["y"] for line in figure["data"]] == [[30_000, 40_000, 40_000]]


def test_a_model_that_is_not_offered_has_the_prices_of_the_package_alone(untouched: Engine) -> None:
    page = select(page_for(search="openai/gpt-4.1-nano", scope="All"), "openai/gpt-4.1-nano")
    assert "The price package has one standard price for all days." in captions(page)
    assert charts(page) == []


def test_a_unit_that_is_priced_only_at_some_hours_is_shown(ledger: Engine) -> None:
    toml = TINY.replace(
        "run_price_credits = 5",
        'prices = [{input_tokens = 1}, {from = 2026-03-01, input_tokens = 2}, {utc_hours = ["01:00", "04:00"], '
        "input_tokens = 2, output_tokens = 3}]",
    )
    world.make_prices_live(ledger, toml)
    page = select(page_for(), "tiny")
    assert ("Standard", "Output tokens", "\\$3.00 per million", "01:00 to 04:00 UTC") in small_tables(page)[PRICES]


def test_the_least_that_is_billed_of_audio_is_shown(untouched: Engine) -> None:
    page = select(page_for(search="groq/whisper-large-v3"), "groq/whisper-large-v3")
    assert small_tables(page)[PRICES][0] == (
        "Standard", "Audio seconds", "\\$0.111 per hour, at least 10 seconds", "always"
    )  # fmt: skip


def test_the_typical_run_of_an_embedding_has_no_output(untouched: Engine) -> None:
    said = captions(select(page_for(search=EMBEDDING), EMBEDDING))
    assert "under promptflow\\-v1: 1,020 input tokens." in said


def test_a_model_that_cannot_be_priced_is_left_out_and_named(ledger: Engine) -> None:
    with price_package.carried() as carry:
        carry(a=price_package.usd(moons="1"), b=price_package.usd(input_mtok="9"))
        page = page_for(search="maker/", scope="All")
    assert ids(page) == ["maker/b"]
    assert [(one.proto.title, one.value) for one in page.warning] == [
        ("These models are left out", "- maker/a has a price for the unknown unit moons")
    ]


def test_prices_that_cannot_be_renewed_are_named(ledger: Engine) -> None:
    with price_package.carried() as carry:
        carry(a=price_package.usd(input_mtok="9"))
        page = click(page_for(), "Check for new prices")
    assert [one.proto.title for one in page.error] == ["The prices cannot be renewed"]
    assert "has no model 'openai/gpt\\-4o'" in page.error[0].value


def test_a_model_with_a_fixed_price_says_it(untouched: Engine) -> None:
    page = select(page_for(search="dall-e-3"), "dall-e-3")
    assert "**20,000 credits (\\$0.02)** per run, whatever it uses." in [line.value for line in page.markdown]
    assert PRICES not in small_tables(page)
    assert "A typical run costs a user 22,000 credits (\\$0.022) under promptflow\\-v1." in captions(page)
