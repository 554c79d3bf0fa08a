"""The table of models, and what narrows it."""

from functools import partial

import pandas as pd
import streamlit as st

from credits_core.pricing.models import MODEL_TYPES, Model, RunPrice
from credits_core.pricing.quote import PriceBook
from pages.models import opened, view
from pages.parts import pick, resources, show

_MOST_ROWS, _ROW_PIXELS = 10, 35
_TABLE = "models:table"


def type_filter() -> str | None:
    """One type of model, or None for all."""
    return st.selectbox("Type", MODEL_TYPES, index=None, placeholder="All types", key="type", bind="query-params")


def scope_filter() -> bool:
    """Whether models that are not offered are listed as well."""
    return pick.one("Show", ["offered", "all"], key="scope", says=str.capitalize) == "all"


def models(listed: list[Model], book: PriceBook, shown: str | None) -> None:
    """The table. A click on a row opens its model; the row of the model that is open is marked."""
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
    ids = [model.id for model in listed]
    # By the id, because the browser knows only the number of the row, and another model may stand there now.
    st.session_state[_TABLE] = {"selection": {"rows": [ids.index(shown)] if shown in ids else []}}
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            **dollars,
            "Typical run, credits": show.credits_column("Typical run, credits", help_text="A median conversation."),
            "Context": st.column_config.NumberColumn(format="%,d"),
        },
        on_select=partial(_open_selected, ids),
        selection_mode="single-row",
        key=_TABLE,
        height=min(_MOST_ROWS, len(rows)) * _ROW_PIXELS + _ROW_PIXELS + 2,
        placeholder="–",
        alt="Models with their prices",
    )


def _open_selected(drawn_ids: list[str]) -> None:
    rows = st.session_state[_TABLE].selection.rows
    if rows:  # the browser also takes the mark away by itself, when other rows are drawn
        opened.open_model(drawn_ids[rows[0]])
