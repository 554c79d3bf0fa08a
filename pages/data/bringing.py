"""Bringing a file in: the box for it, how it is understood, what it does not say, and then all of its rows."""

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from credits_core.datasets.importing import Wanted, bringing_in
from credits_core.datasets.matching import Matcher
from credits_core.errors import CreditsError
from credits_core.usage.files import FileInMemory
from credits_core.usage.reading import Opened, Survey, opened, surveying
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.data import asking, matching, preview, sets
from pages.data.asking import Asked
from pages.parts import done, long_work, resources, show, who, words

_UNDER_WAY, _FILES = "usage:under-way", "usage:files"
_MOST_MEGABYTES = 200
_UNDONE = "Nothing was kept."
_KINDS = ["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet", "gz", "zip"]


@dataclass(frozen=True, slots=True)
class _Import:
    """An import that somebody has begun."""

    source: FileInMemory
    asked: Asked
    survey: Survey
    name: str
    has_pseudonyms: bool
    at: datetime


def draw(*, is_first: bool) -> None:
    """The box for a file and, once there is one, what is in it and how to bring it in."""
    if not who.may_or_told(May.KEEP_USAGE):
        return
    file = st.file_uploader(
        "Bring in a file",
        type=_KINDS,
        max_upload_size=_MOST_MEGABYTES,
        key=f"usage:file:{st.session_state.get(_FILES, 0)}",
        help="CSV, JSON lines, JSON or Parquet, also in gzip or zip. Longer files: usage import on the command line.",
    )
    if file is None:
        if is_first:
            st.info(
                "A log of LiteLLM, Langfuse, Helicone or OpenRouter, a usage export of OpenAI or Anthropic, or any "
                "table with times and token counts. You see how it is understood before anything is kept.",
                title="Bring in usage of another system",
                icon=":material/upload_file:",
            )
        return
    _look_into(FileInMemory(file.name, file.getvalue()), file.file_id)


def is_under_way() -> bool:
    """Whether somebody has begun an import in this visit, and neither finished nor left it."""
    return _UNDER_WAY in st.session_state


def carry_on() -> None:
    """Carry out the import that was begun, with its progress; a stop leaves nothing behind."""
    begun: _Import = st.session_state[_UNDER_WAY]
    wanted = Wanted(
        begun.source,
        begun.asked.how,
        begun.name,
        begun.at,
        who.actor(),
        answers=begun.survey.answers,
        has_pseudonyms=begun.has_pseudonyms,
    )
    folder = sets.folder()
    matcher = Matcher(resources.models(), folder.remembered().models, begun.asked.format_key)
    with st.container(border=True):
        st.header(f"Bring in {words.plain(begun.source.name)}", anchor=False)
        try:
            found = long_work.carried_out(
                "usage:import",
                (begun.name, begun.at),
                lambda: bringing_in(folder, wanted, matcher),
                what="Reading",
                of=counted(begun.survey.rows, "row"),
                undone="Nothing was kept of this file. Go on to read it from its beginning.",
            )
        except CreditsError as refusal:
            show.refusal(refusal, undone=_UNDONE)
            found = None
        if found is None:
            st.button("Leave it", icon=":material/close:", type="tertiary", on_click=_leave)
            return
    _leave()
    said = f"{words.plain(found.name)}: {counted(found.runs, 'run')} from {counted(found.rows, 'row')}"
    done.add("Usage data", f"{said}, {found.refused:,} refused.")
    sets.open_set(found.name)
    st.rerun()


def _look_into(source: FileInMemory, file_id: str) -> None:
    """How the file is understood; then, when nothing is open any more, the button that brings it in."""
    try:
        found = _opened(file_id, source)
    except CreditsError as refusal:
        st.error(words.refusal_text(refusal), title="This file cannot be read", icon=":material/block:")
        return
    with st.container(border=True):
        asked = asking.how(source, found, file_id)
        if asked is None:
            return
        preview.draw(found, asked.how)
    survey = _surveyed(source, asked, file_id)
    if survey is None:
        return
    if asking.has_open(survey, file_id):
        return
    _offer(source, asked, survey)


def _offer(source: FileInMemory, asked: Asked, survey: Survey) -> None:
    with st.container(border=True):
        preview.counts(survey)
        unmatched = matching.draw(survey, asked)
        name = st.text_input("Name of the data set", sets.folder().free_name(source.name), max_chars=64, width=320)
        has_pseudonyms = st.checkbox(
            "Replace ids of people by pseudonyms",
            help="The same person gets the same pseudonym in every data set here. Nobody can be known by it.",
        )
        if unmatched:
            left_out = counted(unmatched, "row")
            st.caption(f":material/info: {left_out} of models that are not matched will be refused and listed.")
        try:
            sets.folder().require_free(name)
        except CreditsError as refusal:
            st.warning(words.refusal_text(refusal), icon=":material/edit:")
            return
        st.button(
            f"Bring in {counted(survey.rows, 'row')}",
            type="primary",
            icon=":material/download:",
            disabled=survey.used == 0,
            on_click=_begin,
            args=(_Import(source, asked, survey, name, has_pseudonyms, datetime.now(UTC)),),
        )


def _surveyed(source: FileInMemory, asked: Asked, file_id: str) -> Survey | None:
    kept = _kept_survey(f"{file_id} {asked.how}")
    if kept.result is None:
        kept.result = long_work.carried_out(
            "usage:survey",
            kept.key,
            lambda: surveying(source, asked.how),
            what="Looking at every row",
            of=f"{source.size:,} bytes",
            undone=_UNDONE,
        )
    return kept.result


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept_survey(key: str) -> long_work.Kept[Survey]:
    return long_work.Kept(key)


@st.cache_resource(max_entries=4, show_spinner="Opening the file…")
def _opened(file_id: str, _source: FileInMemory) -> Opened:
    assert file_id, "under which it is kept"
    return opened(_source)


def _begin(begun: _Import) -> None:
    if begun.asked.how.columns is not None:
        sets.folder().remember(
            columns=begun.asked.columns, mapping=begun.asked.how.columns.as_text(), actor=who.actor()
        )
    st.session_state[_UNDER_WAY] = begun
    st.session_state.pop("usage:import:stopped", None)


def _leave() -> None:
    st.session_state.pop(_UNDER_WAY, None)
    st.session_state[_FILES] = st.session_state.get(_FILES, 0) + 1  # an empty box
