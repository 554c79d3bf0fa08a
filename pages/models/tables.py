"""The table of models, and what narrows it."""

import pandas as pd
import streamlit as st

from credits_core.pricing.models import MODEL_TYPES, Model, RunPrice
from credits_core.pricing.quote import PriceBook
from pages.models import view
from pages.parts import pick, resources, show

_MOST_ROWS, _ROW_PIXELS = 10, 35


def type_filter() -> str | None:
    """One type of model, or None for all."""
    return st.selectbox("Type", MODEL_TYPES, index=None, placeholder="All types", key="type", bind="query-params")


def scope_filter() -> bool:
    """Whether models that are not offered are listed as well."""
    return pick.one("Show", ["offered", "all"], key="scope", says=str.capitalize) == "all"


def models(listed: list[Model], book: PriceBook) -> Model | None:
    """The table, and the model that is selected in it."""
    now = resources.this_hour()
    rows = []
    for model in listed:
        usd: dict[str, float] = {}
        if not isinstance(model.prices, RunPrice):
            _, price = next(model.prices.at(now).levels())
            usd = {key: float(one) for key, one in price.usd}
        other = [key for key in usd if key not in ("input_tokens", "output_tokens", "cache_read_tokens")]
        rows.append(
            {
                "Model": model.id,
                "Offered": model.id in book.models,
                "Type": model.type,
                "Typical run, credits": view.typical_run(model, book),
                "In": usd.get("input_tokens"),
                "Out": usd.get("output_tokens"),
                "Cached": usd.get("cache_read_tokens"),
                "Also priced by": ", ".join(key.replace("_", " ") for key in other),
                "Context": model.context_tokens,
            }
        )
    dollars = {
        name: st.column_config.NumberColumn(format="$%.4g", help=f"Dollars per million {what}", width=80)
        for name, what in (("In", "input tokens"), ("Out", "output tokens"), ("Cached", "tokens read from a cache"))
    }
    frame = pd.DataFrame(rows).astype({"Typical run, credits": "Int64", "Context": "Int64"})
    event = st.dataframe(
        frame,
        hide_index=True,
        column_config={
            **dollars,
            "Typical run, credits": show.credits_column("Typical run, credits", help_text="A median conversation."),
            "Context": st.column_config.NumberColumn(format="%,d"),
        },
        on_select="rerun",
        selection_mode="single-row",
        key="models:table",
        height=min(_MOST_ROWS, len(rows)) * _ROW_PIXELS + _ROW_PIXELS + 2,
        placeholder="–",
        alt="Models with their prices",
    )
    selected = event.selection.rows
    return listed[selected[0]] if selected and selected[0] < len(listed) else None
