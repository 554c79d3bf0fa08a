"""One model: its facts, its prices unit by unit, and how they change over time."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import plotly.graph_objects as go
import streamlit as st

from credits_core import settings
from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.prices import catalogue, history
from credits_core.pricing import price_words
from credits_core.pricing.dated_prices import DatedPrices
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.quote import PriceBook, quote
from credits_core.pricing.units import UNITS, Usage, unit_name
from credits_core.pricing.usage_price import AUDIO_SECONDS
from pages.parts import charts, resources, show, words

_SHOWN = timedelta(days=60)
_START = datetime(1970, 1, 1, tzinfo=UTC)


@st.cache_resource(show_spinner="Reading every model's prices…")
def _catalogue() -> tuple[dict[str, Model], list[str]]:
    return catalogue.every_model(settings.PRICE_CORRECTIONS_FILE)


def left_out() -> list[str]:
    """What is wrong with the models of the price package that cannot be listed, a sentence for each."""
    return _catalogue()[1]


def known(book: PriceBook) -> int:
    """How many models have a price, offered or not."""
    return len({*book.models} | _others(book).keys())


def listed(book: PriceBook, *, search: str, kind: str | None, is_every: bool) -> list[Model]:
    """The models to list, the offered ones first."""
    found = [*book.models.values(), *(_others(book).values() if is_every else ())]
    text = search.strip().lower()
    return [
        model
        for model in found
        if (text in model.id.lower() or text in model.name.lower()) and kind in (None, model.type)
    ]


def find(book: PriceBook, model_id: str) -> Model | None:
    """The model with this id, here or in the price package, offered or not; None when it has no price."""
    own_id = next(iter(book.models.ids_by_package_id.get(model_id, ())), model_id)
    return book.models.models.get(model_id) or book.models.models.get(own_id) or _others(book).get(model_id)


def _others(book: PriceBook) -> dict[str, Model]:
    offered = {*book.models, *book.models.ids_by_package_id}
    return {model_id: model for model_id, model in _catalogue()[0].items() if model_id not in offered}


def typical_run(model: Model, book: PriceBook) -> int | None:
    """What a median conversation costs a user under the live plan, in credits; None where it has no meaning."""
    usage = _typical_usage(model)
    if model.is_usage_priced and not usage:
        return None
    try:
        priced = quote(model, book.plan, usage=usage or None, at=resources.this_hour())
    except CreditsError:
        return None
    return priced.total_credits


def _typical_usage(model: Model) -> Usage:
    conversation = resources.workloads()["conversation"]
    tokens = {"input_tokens": conversation.input_tokens.p50, "output_tokens": conversation.output_tokens.p50}
    return tuple((key, count) for key, count in tokens.items() if key in model.priced_units)


def facts(model: Model, book: PriceBook) -> None:
    """Where the model and its price are from, in one line, and what a typical run costs."""
    context = f" · {model.context_tokens:,} tokens of context" if model.context_tokens else ""
    checked = f", checked {model.checked_on}" if model.checked_on else ""
    text, _, page = model.source.partition(": https://")
    source = f"[{words.plain(text)}](https://{page})" if page else words.plain(text)
    st.caption(f"`{model.id}` · {model.type}{context} · {source}{checked}")
    total_credits = typical_run(model, book)
    if total_credits is not None:
        said = f"A typical run costs a user {words.both(total_credits)} under {words.plain(book.plan.id)}"
        used = " and ".join(f"{count:,} {unit_name(key).lower()}" for key, count in _typical_usage(model))
        st.caption(f"{said}: {used}." if used else f"{said}.")


def prices(model: Model) -> None:
    """Every price of the model: by unit, day, hour, length of the prompt and service tier."""
    if isinstance(model.prices, RunPrice):
        st.markdown(f"**{words.both(model.prices.run_price_credits)}** per run, whatever it uses.")
        return
    rows: list[show.Row] = []
    for dated in model.prices.standard:
        rows += _rows("Standard", dated)
    for tier, tiers in model.prices.service_tiers.items():
        for dated in tiers:
            rows += _rows(tier.capitalize(), dated)
    table = show.small_table(rows, {})
    st.table(table, border="horizontal", hide_index=True, alt="Every price of the model")


def _rows(tier: str, dated: DatedPrices) -> Iterator[show.Row]:
    for key in UNITS:
        if key in dated.prices.units:
            usd, above = dated.prices.units[key]
            price = f"{price_words.dollars(usd)} per {price_words.size(key)}{price_words.above_words(above)}"
            if key in AUDIO_SECONDS:
                price += price_words.minimum_words(dated)
            when = price_words.when(dated) or "always"
            yield {"Tier": tier, "Unit": unit_name(key), "Price": price.replace("$", r"\$"), "When": when}


def prices_over_time(model: Model, book: PriceBook) -> None:
    """The standard prices as steps, past and to come: those of every list that was live, with their days.

    A model that is not offered has the prices of the package alone.
    """
    is_offered = model.id in book.models
    if is_offered:
        try:
            with resources.reading() as connection:
                periods = history.of_model(connection, model.id)
        except DataFileInvalid as refusal:
            show.refusal(refusal, undone="The earlier prices are not drawn.")
            return
    else:
        periods = [history.Period(_START, model.prices)]
    keys = [None] if isinstance(model.prices, RunPrice) else model.priced_units
    changing = {key: found for key in keys if len(found := history.steps(periods, key)) > 1}
    if not changing:
        st.caption(
            "No day and no live price list has changed its standard prices."
            if is_offered
            else "The price package has one standard price for all days."
        )
        return
    _draw(changing)


def _draw(changing: dict[str | None, list[history.Step]]) -> None:
    """Up to four units, all of the same size, because they share one axis."""
    first = next(iter(changing))
    alike = [key for key in changing if _axis(key) == _axis(first)][:4]
    moments = [moment for key in alike for moment, _ in changing[key][1:]]
    begin, end = min(moments) - _SHOWN, max(*moments, resources.this_hour()) + _SHOWN
    figure = go.Figure()
    colours = (charts.USER, charts.CREATOR, charts.PLATFORM, charts.INFERENCE)
    for key, colour in zip(alike, colours, strict=False):
        points: list[history.Step] = []
        for moment, price in changing[key]:
            if price is None and points:  # or the line would end where the last price begins
                points.append((moment, points[-1][1]))
            points.append((max(moment, begin), price))
        points.append((end, points[-1][1]))
        figure.add_scatter(
            x=[moment.date() if moment.time() == time() else moment for moment, _ in points],
            y=[None if price is None else float(price) for _, price in points],
            name="Fixed price" if key is None else unit_name(key),
            mode="lines",
            line={"shape": "hv", "color": colour},
            hovertemplate="%{y:,} credits<extra></extra>" if key is None else "$%{y}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(title=_axis(first), rangemode="tozero")
    charts.draw(charts.laid_out(figure, height=260), alt="The model's prices over time")


def _axis(key: str | None) -> str:
    if key is None:
        return "credits per run"
    return f"dollars per {'million tokens' if key.endswith('_tokens') else price_words.size_words(key)}"
