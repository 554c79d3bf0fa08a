"""What a person says about a file: its format or its columns, a model for all rows, and what could be two things."""

from dataclasses import dataclass

import streamlit as st

from credits_core.datasets.folder import columns_key
from credits_core.datasets.matching import model_of
from credits_core.usage.files import FileInMemory
from credits_core.usage.formats import FORMATS, Format
from credits_core.usage.forms import ANSWERS, BadCell, Question
from credits_core.usage.mapping import Field, Mapped, mapped
from credits_core.usage.reading import HowToRead, Opened, Survey
from pages.data import sets
from pages.parts import resources, words

_BY_HAND = "columns"
_NAMES = {
    Field.TIME: "Time",
    Field.MODEL: "Model",
    Field.INPUT: "Input tokens",
    Field.OUTPUT: "Output tokens",
    Field.CACHE_READ: "Cached tokens",
    Field.CACHE_WRITE: "Tokens written to a cache",
    Field.REASONING: "Reasoning tokens",
    Field.TOTAL: "Total tokens",
    Field.USER: "User",
    Field.COST: "Cost in dollars",
    Field.REQUESTS: "Requests",
    Field.REQUEST_ID: "Id of the request",
    Field.PROVIDER: "Provider",
    Field.TIER: "Service tier",
}
_QUESTIONS = {
    Question.DATES: ("What is 5/10/2024?", {"day-first": "October 5", "month-first": "May 10"}),
    Question.DECIMALS: ("What is 1,234?", {"point": "One thousand and more", "comma": "One and three decimals"}),
    Question.PARTS: (
        "Where are cached and reasoning tokens counted?",
        {"inside": "Inside input and output", "outside": "Beside input and output"},
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a file is read, as far as somebody has said it."""

    how: HowToRead
    columns: tuple[str, ...]

    @property
    def format_key(self) -> str:
        """The key of the format; empty for columns that somebody named."""
        return self.how.format.key if self.how.format else ""


def how(source: FileInMemory, found: Opened, file_id: str) -> Asked | None:
    """How the file is read; None as long as something has to be chosen before a row can be read."""
    form = found.form
    written = " · ".join(filter(None, (form.kind, form.encoding and form.encoding.upper(), _separator(form.separator))))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = _format(found, file_id)
        model = _model_for_all(chosen, found, file_id)
        st.caption(f"{words.plain(source.name)}: {written}", width="stretch")
    columns = None
    if chosen is None:
        columns = _columns(found, file_id)
        if columns is None:
            return None
    if model is None:
        return None
    return Asked(HowToRead(chosen, columns, model, _answers(file_id)), form.columns)


def has_open(survey: Survey, file_id: str) -> bool:
    """Ask what the rows do not say, with an example of each; whether something is still open."""
    answered = _answers(file_id)
    if not survey.open_questions and not answered:
        return False
    with st.container(border=True):
        st.header("What the file does not say", anchor=False)
        for question in Question:
            if question not in survey.open_questions and question not in answered:
                continue
            label, names = _QUESTIONS[question]
            st.radio(
                label,
                ANSWERS[question],
                index=None,
                format_func=names.__getitem__,
                key=_key(file_id, question),
                horizontal=True,
            )
            if question in survey.open_questions:
                example = words.plain(survey.open_questions[question])
                st.caption(f"{survey.asked[question]:,} rows depend on it. For example {example}.")
    return bool(survey.open_questions)


def _answers(file_id: str) -> dict[Question, str]:
    found = {question: st.session_state.get(_key(file_id, question)) for question in Question}
    return {question: answer for question, answer in found.items() if answer is not None}


def _key(file_id: str, question: Question) -> str:
    return f"usage:answer:{file_id}:{question.value}"


def _separator(separator: str | None) -> str | None:
    names = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
    return separator and names.get(separator, separator)


def _format(found: Opened, file_id: str) -> Format | None:
    """The chosen format; None means that columns are named by hand."""
    key = f"usage:format:{file_id}"
    chosen: str = st.selectbox(
        "Format",
        [*FORMATS, _BY_HAND],
        index=[*FORMATS].index(found.format.key) if found.format else len(FORMATS),
        format_func=lambda one: FORMATS[one].title if one in FORMATS else "Another: I say which column is which",
        key=key,
        width=330,
    )
    if found.format is None and chosen == _BY_HAND and found.nearest is not None and found.missing:
        missing = ", ".join(f"`{one}`" for one in found.missing)
        st.caption(f"No known format. The nearest is {found.nearest.title}, which also has {missing}.", width="stretch")
    return FORMATS.get(chosen)


def _model_for_all(chosen: Format | None, found: Opened, file_id: str) -> str | None:
    """The model of rows that name none; empty where rows name theirs, None while one is needed and not chosen."""
    needs = chosen is not None and chosen.needs_model
    if chosen is None:
        mapping = st.session_state.get(
            f"usage:column:{file_id}:{Field.MODEL.value}", _first(found).columns.get(Field.MODEL)
        )
        needs = mapping is None
    if not needs:
        return ""
    models = resources.models()
    offered = [one.id for one in models.models.values() if one.is_usage_priced]
    model = st.selectbox(
        "Model of every run",
        offered,
        index=None,
        placeholder="Choose a model",
        accept_new_options=True,
        filter_mode="contains",
        key=f"usage:model:{file_id}",
        width=280,
    )
    if model and model_of(models, model) is None:
        st.warning(f"There is no model {words.plain(model)} with a price.", icon=":material/block:")
        return None
    return model or None


def _first(found: Opened) -> Mapped:
    """What was chosen before for a file with these columns, or else what is proposed."""
    before = sets.folder().remembered().mappings.get(columns_key(found.form.columns))
    if before:
        try:
            return mapped(before, found.form.columns)
        except BadCell:
            return found.proposal
    return found.proposal


def _columns(found: Opened, file_id: str) -> Mapped | None:
    """The columns by what they are: proposed, and changed by a person."""
    proposal, chosen = _first(found), {}
    with st.grid(5, min_column_width=170):
        for field, name in _NAMES.items():
            columns = list(found.form.columns)
            before = proposal.columns.get(field)
            column = st.selectbox(
                name,
                columns,
                index=columns.index(before) if before in columns else None,
                placeholder="In no column",
                key=f"usage:column:{file_id}:{field.value}",
            )
            if column is not None:
                chosen[field] = column
    mapping = Mapped(chosen)
    if mapping.missing:
        needed = ", ".join(_NAMES[field] for field in mapping.missing)
        st.warning(f"Choose the column of: {needed}.", icon=":material/edit:")
        return None
    return mapping
