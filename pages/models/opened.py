"""The open model: from `?model=…`, whether or not the table lists it."""

import streamlit as st

KEPT = "models:opened"
_KEY = "model"


def opened() -> str | None:
    """The id of the model to show: the one in the link or, without a link, the one that was open last; None is none."""
    model_id = st.query_params.get(_KEY) or st.session_state.get(KEPT)
    if model_id is not None and st.query_params.get(_KEY) != model_id:
        st.query_params[_KEY] = model_id
    st.session_state[KEPT] = model_id
    return model_id


def open_model(model_id: str | None) -> None:
    """Open this model, or close the one that is open. Meant for callbacks."""
    st.session_state[KEPT] = model_id
    if model_id is None:
        st.query_params.pop(_KEY, None)
    else:
        st.query_params[_KEY] = model_id
