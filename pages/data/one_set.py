"""One data set: what became of its rows, what it cost there and here, what was refused, and its end."""

from itertools import islice

import streamlit as st

from credits_core.datasets.columns import read_columns
from credits_core.datasets.folder import DataSet
from credits_core.datasets.matching import format_title
from credits_core.datasets.own_cost import ModelCosts, Why, compared
from credits_core.datasets.wording import rows_of_sums
from credits_core.errors import CreditsError
from credits_core.usage.forms import PICO_PER_CREDIT
from credits_core.values.days import from_microseconds
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.data import sets
from pages.parts import amounts, clock, csv_files, done, links, resources, runs_of, show, tables, who, words

_SHOWN = 200


def draw(one: DataSet) -> None:
    """Everything about a data set."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(words.plain(one.name), anchor=False, width="stretch")
        st.page_link(
            "replay/replay_history.py",
            label="Replay",
            icon=":material/history:",
            query_params=links.link_to(**runs_of.in_link(one.name)),
        )
        _delete(one)
        st.button("All data sets", icon=":material/arrow_back:", type="tertiary", on_click=sets.open_set, args=(None,))
    brought = clock.text(from_microseconds(one.imported_at_us), "%Y-%m-%d %H:%M")
    pseudonyms = " Ids of people are pseudonyms." if one.has_pseudonyms else ""
    st.caption(
        f"{format_title(one.format)}, {words.plain(one.file)}, {sets.days(one)}, {sets.size(one)}. "
        f"Brought in {brought} by {words.actor_name(one.imported_by)}.{pseudonyms}"
    )
    with st.grid(4, min_column_width=170):
        _figure("Rows in the file", one.rows, f"{one.used:,} used, {one.refused:,} refused")
        _figure("Runs", one.runs, _runs(one))
        _figure("Refused", one.refused, "listed below" if one.refused else "every row was used")
        _figure("Users", one.users, counted(len(one.runs_by_model), "model"))
    notes = [f"{counted(rows, 'row')}: {words.plain(why)}." for why, rows in one.unused_reasons.items()]
    if one.free_runs:
        notes.append(f"{counted(one.free_runs, 'run')} free, answered from the caller's own cache.")
    if notes:
        st.caption(" ".join(notes))
    if one.has_sums:
        st.info(
            "The price of a run depends on its size. A replay asks what runs each row is taken as.",
            title=f"{rows_of_sums(one)}",
            icon=":material/functions:",
        )
    _costs(one)
    _refused(one)


def _runs(one: DataSet) -> str:
    if one.has_sums:
        return f"sums of {one.sum_requests:,} requests" if one.sum_requests else "sums of requests"
    return f"{counted(one.unused, 'row')} used nothing" if one.unused else "every used row is one"


def _figure(label: str, count: int, below: str) -> None:
    st.metric(label, f"{count:,}", delta=below, delta_color="gray", delta_arrow="off", border=True)


def _costs(one: DataSet) -> None:
    """Both costs by model, and why they differ."""
    st.header("What it cost", anchor=False)
    try:
        costs = _compared(one.name, one.imported_at_us, resources.book().terms)
    except CreditsError as refusal:
        st.warning(words.refusal_text(refusal), title="These runs cannot be priced", icon=":material/block:")
        return
    if not costs:
        st.caption("The file has no costs of its own to compare with ours.")
        return
    st.caption(f"{one.own_cost_rows:,} of {counted(one.runs, 'run')} have a cost in the file. Plus: ours is higher.")
    rows: list[show.Row] = []
    for model in costs:
        theirs = _credits(model.theirs_pico)
        rows.append(
            {
                "Model": words.plain(model.model_id),
                "Rows": model.rows,
                "In the file": theirs,
                "Ours": model.ours_credits,
                "Difference": model.ours_credits - theirs,
                "Mostly": _mostly(model),
            }
        )
    table = show.small_table(rows, {"Rows": "{:,}", "In the file": _money, "Ours": _money, "Difference": _signed})
    st.table(table, border="horizontal", hide_index=True, alt="The costs of the file beside ours, by model")
    reasons = _by_reason(costs)
    if reasons:
        st.markdown("\n".join(f"- **{_signed(_credits(pico))}** {words.plain(why.value)}" for why, pico in reasons))


def _mostly(model: ModelCosts) -> str:
    if not model.differences_pico:
        return "the same"
    why = max(model.differences_pico, key=lambda reason: abs(model.differences_pico[reason]))
    return why.value.partition(":")[0]


def _by_reason(costs: list[ModelCosts]) -> list[tuple[Why, int]]:
    sums = {why: sum(model.differences_pico.get(why, 0) for model in costs) for why in Why}
    return sorted(((why, pico) for why, pico in sums.items() if pico), key=lambda found: -abs(found[1]))


def _credits(pico: int) -> int:
    """Whole credits, rounded to the nearest, for reading beside ours."""
    return round(pico / PICO_PER_CREDIT)


def _money(credits: int) -> str:
    return f"{amounts.first(credits)} ({amounts.second(credits)})".replace("$", r"\$")


def _signed(credits: int) -> str:
    if not credits:
        return "0"
    return f"{amounts.signed(credits)} ({amounts.signed_second(credits)})".replace("$", r"\$")


@st.cache_resource(max_entries=8, show_spinner="Comparing the costs…")
def _compared(name: str, imported_at_us: int, terms: object) -> list[ModelCosts]:
    assert imported_at_us, "under which it is kept"
    assert terms, "under which it is kept"
    return compared(read_columns(sets.folder().file_of(name)), resources.models().anywhere)


def _refused(one: DataSet) -> None:
    if not one.refused:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Refused rows", anchor=False, width="stretch")
        if who.may_or_told(May.KEEP_USAGE):
            st.download_button(
                "Download",
                lambda: _refused_csv(one.name),
                f"{one.name}-refused.csv",
                "text/csv",
                icon=":material/csv:",
                on_click="ignore",
            )
    shown = list(islice(sets.folder().refused_rows(one.name), _SHOWN))
    tables.draw(
        [
            {"Line": row["line"], "Column": row["column"], "Found": row["found"], "Reason": row["reason"]}
            for row in shown
        ],
        {},
        alt="The refused rows with line, column and reason",
        key="refused-rows",
        opens={},
        if_wide=["Found"],
    )
    if one.refused > len(shown):
        st.caption(f"The first {len(shown)} of {one.refused:,}. The download has all.")


def _refused_csv(name: str) -> bytes:
    rows = ((row["line"], row["column"], row["found"], row["reason"]) for row in sets.folder().refused_rows(name))
    return csv_files.csv_file(["line", "column", "found", "reason"], rows)


def _delete(one: DataSet) -> None:
    if not who.may(May.KEEP_USAGE):
        return
    with st.popover("Delete", icon=":material/delete:", type="tertiary"):
        st.markdown(f"Delete **{words.plain(one.name)}** for ever? The ledger never had it.")
        if st.button("Delete it", type="primary", icon=":material/delete:"):
            sets.folder().delete(one.name, actor=who.actor())
            done.add("Usage data", f"{words.plain(one.name)} is deleted.")
            sets.open_set(None)
            st.rerun()
