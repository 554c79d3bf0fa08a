"""One model: its facts, its prices unit by unit, and how they change over time."""

from collections.abc import Iterator
from datetime import timedelta

import plotly.graph_objects as go
import streamlit as st

from credits_core import settings
from credits_core.errors import CreditsError
from credits_core.prices import package
from credits_core.pricing.dated_prices import DatedPrices
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.quote import PriceBook, quote
from credits_core.pricing.units import UNITS, unit_name
from pages.parts import charts, resources, show, words

_TYPICAL = {"input_tokens": 1_020, "output_tokens": 129}
_SHOWN_DAYS = timedelta(days=60)


@st.cache_resource(show_spinner="Reading every model's prices…")
def _catalogue() -> dict[str, Model]:
    registry = settings.load_models()
    priced = (one for one in package.ids() if package.prices_of(one) is not None)
    return {one: registry.elsewhere(one) for one in priced}


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
    """The model with exactly this id, offered or not; None when it has no price."""
    return book.models.models.get(model_id) or _others(book).get(model_id)


def _others(book: PriceBook) -> dict[str, Model]:
    offered = {*book.models, *book.models.ids_by_package_id}
    return {model_id: model for model_id, model in _catalogue().items() if model_id not in offered}


def typical_run(model: Model, book: PriceBook) -> int | None:
    """What a median conversation costs a user under the live plan, in credits; None where it has no meaning."""
    tokens = {key: count for key, count in _TYPICAL.items() if key in model.priced_units}
    if model.is_usage_priced and not tokens:
        return None
    try:
        priced = quote(model, book.plan, usage=tuple(tokens.items()) or None, at=resources.this_hour())
    except CreditsError:
        return None
    return priced.total_credits


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
        st.caption(f"{said}: 1,020 tokens in, 129 out." if model.is_usage_priced else f"{said}.")


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
        if key not in dated.prices.units:
            continue
        usd, above = dated.prices.units[key]
        per = {1_000_000: "1M", 1_000: "1,000", 3_600: "hour", 1_000_000_000: "1G"}[UNITS[key].per]
        price = rf"\${usd:f} per {per}"
        for bound, higher in above:
            price += rf"; \${higher:f} above {bound:,} input tokens"
        yield {"Tier": tier, "Unit": unit_name(key), "Price": price, "When": _when(dated)}


def _when(dated: DatedPrices) -> str:
    parts = [f"from {dated.first_day}"] if dated.first_day else []
    if dated.hours:
        parts.append(f"{dated.hours[0]:%H:%M}–{dated.hours[1]:%H:%M} UTC")
    if dated.is_on_weekdays:
        parts.append("on weekdays")
    return " ".join(parts) or "always"


def history(model: Model) -> None:
    """The standard prices over time as steps, past and to come; hours of the day are left out."""
    if isinstance(model.prices, RunPrice):
        return
    dated = [one for one in model.prices.standard if one.hours is None]
    days = [one.first_day for one in dated if one.first_day is not None]
    if not days:
        st.caption("The prices of this model have not changed since they are known.")
        return
    first, last = min(days) - _SHOWN_DAYS, max(*days, resources.this_hour().date()) + _SHOWN_DAYS
    figure = go.Figure()
    colours = (charts.USER, charts.CREATOR, charts.PLATFORM, charts.INFERENCE)
    plain = [key for key in ("input_tokens", "output_tokens", "cache_read_tokens") if key in model.priced_units]
    for key, colour in zip(plain or model.priced_units[:3], colours, strict=False):
        steps = [(one.first_day or first, one.prices.units[key][0]) for one in dated if key in one.prices.units]
        steps.append((last, steps[-1][1]))
        figure.add_scatter(
            x=[day for day, _ in steps],
            y=[float(usd) for _, usd in steps],
            name=unit_name(key),
            mode="lines",
            line={"shape": "hv", "color": colour},
            hovertemplate="$%{y}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(title="dollars per million", rangemode="tozero")
    charts.draw(charts.laid_out(figure, height=260), alt="The model's prices over time")
