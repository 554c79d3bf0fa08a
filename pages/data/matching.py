"""Models that a file names and nobody knows: matched by the person, remembered, never guessed."""

import streamlit as st

from credits_core import settings
from credits_core.datasets.matching import Matcher, key_of, model_of
from credits_core.prices import catalogue
from credits_core.usage.reading import Survey
from credits_core.values.text import counted
from pages.data import sets
from pages.data.asking import Asked
from pages.parts import resources, show, who, words

_MOST = 20


def draw(survey: Survey, asked: Asked) -> int:
    """The models of the file with what each was matched with; how many rows are of models without a match."""
    models = resources.models()
    matcher = Matcher(models, sets.folder().remembered().models, asked.format_key)
    rows: list[show.Row] = []
    unmatched: list[tuple[str, str, int]] = []
    for (provider, name), runs in survey.models.most_common():
        found = matcher.model(provider, name)
        if found is None:
            unmatched.append((provider, name, runs))
        else:
            rows.append({"In the file": words.plain(name), "Model": words.plain(found.id), "Rows": runs})
    if rows:
        with st.expander(f"{counted(len(rows), 'model')} matched by name", icon=":material/check:"):
            table = show.small_table(rows, {"Rows": "{:,}"})
            st.table(table, border="horizontal", hide_index=True, alt="Models of the file and what they are here")
    if unmatched:
        st.markdown(f"**{counted(len(unmatched), 'model')} not known here.** Choose what each is; it is remembered.")
        with st.grid(2, min_column_width=330):
            for number, (provider, name, runs) in enumerate(unmatched[:_MOST], 1):
                with st.container(gap="xxsmall"):
                    st.markdown(f"{words.plain(name)}: {counted(runs, 'row')}")
                    _box(number, provider, name)
        if len(unmatched) > _MOST:
            st.caption(f"And {len(unmatched) - _MOST:,} more with fewer rows.")
    return sum(runs for *_, runs in unmatched)


def _box(number: int, provider: str, name: str) -> None:
    key = f"usage:match:{key_of(provider, name)}"
    st.selectbox(
        f"Unknown model {number}",  # a name with marks of Markdown would be read out with backslashes
        _known(),
        index=None,
        placeholder="Leave these rows out",
        filter_mode="contains",
        label_visibility="collapsed",
        key=key,
        on_change=_remember,
        args=(key, provider, name),
    )


def _remember(key: str, provider: str, name: str) -> None:
    chosen = st.session_state[key]
    if chosen is not None and model_of(resources.models(), chosen) is not None:
        sets.folder().remember(models={key_of(provider, name): chosen}, actor=who.actor())


@st.cache_resource(show_spinner="Reading every model's prices…")
def _known() -> list[str]:
    """Every model that is priced by usage, the offered ones first."""
    offered = [one.id for one in resources.models().models.values() if one.is_usage_priced]
    return [*offered, *(one for one in catalogue.every_model(settings.PRICE_CORRECTIONS_FILE)[0] if one not in offered)]
