"""A box for choosing an offered model. A model that is asked for and not offered is named; no other takes its place."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.pricing.models import Model, ModelRegistry
from pages.parts import resources
from pages.parts.words import plain

_KEY, _MISSED = "model", "model:missed"


def choose(first: str | None = None, *, help_text: str | None = None) -> Model | None:
    """The offered model chosen from `?model=…`; without one `first`, or else the first model of the price list.

    None, with the reason, when the model that is asked for is not offered, by a link, as `first` or because it was
    withdrawn since. It stays asked for until somebody chooses another.
    """
    models = resources.models()
    asked = _asked(models, first)
    is_missed = asked is not None and asked not in models
    st.session_state[_MISSED] = asked if is_missed else None
    if asked is not None:
        st.session_state[_KEY] = None if is_missed else asked
    # The URL leaves out the first option: it is what a link without a model opens with. Where that is not offered, the
    # box begins empty, and the link always names the model.
    ids = sorted(models, key=lambda model_id: model_id != first)
    begins_empty = is_missed or (first is not None and first not in models)
    with st.container():  # one thing, wherever it stands in a grid
        chosen = st.selectbox(
            "Model",
            ids,
            index=None if begins_empty else 0,
            placeholder="Choose a model",
            filter_mode="contains",
            key=_KEY,
            bind="query-params",
            help=help_text,
        )
        if chosen is None:
            title = f"{plain(asked or '')} is not offered"
            st.warning("Nothing was charged. Choose another model.", title=title, icon=":material/block:")
            return None
    return models[chosen]


def _asked(models: ModelRegistry, first: str | None) -> str | None:
    if st.session_state.get(_KEY) is not None:
        return str(st.session_state[_KEY])
    if _KEY in st.session_state:
        return st.session_state.get(_MISSED) or first
    linked = st.query_params.get(_KEY) or first
    try:
        return linked and models[linked].id  # a link may use another name of the model
    except CreditsError:
        return linked
