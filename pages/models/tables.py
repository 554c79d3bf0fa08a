"""The table of models, and what narrows it."""

import pandas as pd
import streamlit as st

from credits_core.pricing.models import MODEL_TYPES, Model, RunPrice
from credits_core.pricing.quote import PriceBook
from pages.models import opened, view
from pages.parts import pick, resources, show, window

_MOST_ROWS, _ROW_PIXELS = 10, 35
_TABLE, _CLICKED = "models:table", "models:clicked"
_IF_WIDE = ["Cached", "Also priced by", "Context"]


def type_filter() -> str | None:
    """One type of model, or None for all."""
    return st.selectbox("Type", MODEL_TYPES, index=None, placeholder="All types", key="type", bind="query-params")


def scope_filter() -> bool:
    """Whether models that are not offered are listed as well."""
    return pick.one("Show", ["offered", "all"], key="scope", says=str.capitalize) == "all"


def models(listed: list[Model], book: PriceBook, *, is_every: bool) -> None:
    """The table. A click on the id of a model opens it. With `is_every`, a column says which models are offered."""
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
                "Offered": "Yes" if model.id in book.models else "",
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
    left_out = [*([] if is_every else ["Offered"]), *(_IF_WIDE if window.is_narrow() else [])]
    st.dataframe(
        frame.drop(columns=left_out),
        hide_index=True,
        column_config={
            "Model": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", key=_CLICKED, on_click=_open_clicked, width=260
            ),
            **dollars,
            "Typical run, credits": show.credits_column("Typical run, credits", help_text="A median conversation."),
            "Context": st.column_config.NumberColumn(format="%,d"),
        },
        key=_TABLE,
        height=min(_MOST_ROWS, len(rows)) * _ROW_PIXELS + _ROW_PIXELS + 2,
        placeholder="–",
        alt="Models with their prices",
    )


def _open_clicked() -> None:
    opened.open_model(st.session_state[_CLICKED].label)  # not by the row's number: another model may stand there now
