"""Who loses by plan B, and the rows behind every figure: users, creators, models, and refused charges."""

from enum import StrEnum

import streamlit as st

from credits_core.lab.replay.between import Affected, Between, Role
from credits_core.pricing.plan import PricePlan
from credits_core.values.days import day_of
from pages.parts import pick, tables, words
from pages.plans import finding_list
from pages.plans import month as plan_month
from pages.plans.month import Month

_FIRST, _MOST, _MOST_CHARGES = 12, 500, 200
_KEY, _ALL = "rows", "rows:all"


class Rows(StrEnum):
    """Which rows are listed, in the words of the page and its URL."""

    LOSERS = "Who loses"
    USERS = "Users"
    CREATORS = "Creators"
    MODELS = "Models"
    REFUSED = "Refused"


_ROLES = {Rows.USERS: Role.USER, Rows.CREATORS: Role.CREATOR, Rows.MODELS: Role.MODEL, Rows.REFUSED: Role.USER}
_EMPTY = {
    Rows.LOSERS: "Nobody loses: no user pays more, and no creator gets less.",
    Rows.USERS: "Every user pays the same.",
    Rows.CREATORS: "Every creator gets the same.",
    Rows.MODELS: "We get the same from every model.",
    Rows.REFUSED: "Nobody runs out of credits who did not before.",
}


def choose(rows: Rows) -> None:
    """List these rows. Meant as a callback."""
    st.session_state[_KEY] = rows.value


def _show_all(rows: Rows) -> None:
    st.session_state[_ALL] = rows


def draw(effect: Between) -> None:
    """The chosen rows, the largest loss first. A click on a name opens its charges under both plans."""
    with st.container(horizontal=True, vertical_alignment="center"):
        rows = pick.one("Rows", list(Rows), key=_KEY, is_labelled=False)
    listed = _listed(effect, rows)
    in_all, is_shown_whole = len(listed), st.session_state.get(_ALL) == rows
    listed = listed if is_shown_whole else listed[:_FIRST]
    if not listed:
        st.caption(f":material/check: {_EMPTY[rows]}")
        return
    cells: list[dict[str, object]] = []
    for role, one in listed:
        row: dict[str, object] = {"Who" if rows is Rows.LOSERS else _noun(role): one.name, "Gains": one.gain_credits}
        if rows is Rows.LOSERS:
            row["As"] = role.value
        row |= {"Plan A": one.credits.a_credits, "Plan B": one.credits.b_credits}
        if effect.newly_refused:
            row["Refused"] = one.newly_refused
        cells.append(row)
    tables.draw(
        cells,
        {"Gains": "Dollars", "Plan A": None, "Plan B": None},
        alt=f"{rows.value}: what each gains or loses under plan B",
        key="affected",
        opens={next(iter(cells[0])): lambda number: _ask_for_charges(*listed[number])},
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_explained(rows), width="stretch")
        if len(listed) < in_all:
            st.button(f"Show all {in_all:,}", type="tertiary", on_click=_show_all, args=(rows,))


def _explained(rows: Rows) -> str:
    said = {
        Rows.USERS: "What users pay for what both plans let through.",
        Rows.CREATORS: "What creators get.",
        Rows.MODELS: "What the platform gets from each model's runs.",
        Rows.REFUSED: "Charges that plan A lets through and plan B does not.",
        Rows.LOSERS: "Users: what they pay. Creators: what they get.",
    }[rows]
    return f"{said} Minus is worse off."


def _listed(effect: Between, rows: Rows) -> list[tuple[Role, Affected]]:
    if rows is Rows.LOSERS:
        return effect.losers(_MOST)
    group = {Rows.CREATORS: effect.by_creator, Rows.MODELS: effect.by_model}.get(rows, effect.by_user)
    found = group.most_refused(_MOST) if rows is Rows.REFUSED else [*group.worst(_MOST), *reversed(group.best(_MOST))]
    return [(_ROLES[rows], one) for one in found[:_MOST]]


def _noun(role: Role) -> str:
    return role.value.capitalize()


def _ask_for_charges(role: Role, one: Affected) -> None:
    st.session_state["affected:open"] = (role, one.name)


def open_asked(month: Month, a: PricePlan, b: PricePlan) -> None:
    """The drawer that a click on a name asked for, once."""
    asked = st.session_state.pop("affected:open", None)
    if asked is not None:
        role, name = asked
        of = "last month" if month.runs_of.is_ledger else month.runs_of.chosen
        title = f"{_noun(role)} {words.plain(name)}: {words.plain(of)} under both plans"
        st.dialog(title, position="right", width=720)(_charges)(role, name, month, a, b)


def _charges(role: Role, name: str, month: Month, a: PricePlan, b: PricePlan) -> None:
    count, listed = plan_month.charges(month, a, b, role, name, limit=_MOST_CHARGES)
    refused = {(True, True): "refused by both", (False, True): "refused by B", (True, False): "refused by A"}
    first = "Entry" if month.runs_of.is_ledger else "Run"
    rows: list[dict[str, object]] = [
        {
            first: one.entry_id,
            "Gains": one.gain_credits,
            "Plan A": one.credits.a_credits,
            "Plan B": one.credits.b_credits,
            "Outcome": refused.get((one.refused_a, one.refused_b), "charged"),
            "User": one.user_id,
            "Model": one.model,
            "Day": day_of(one.day_number).isoformat(),
        }
        for one in listed
    ]
    tables.draw(
        rows,
        {"Gains": None, "Plan A": None, "Plan B": None},
        alt="Charges under both plans",
        key="affected-charges",
        opens={"Entry": lambda row: finding_list.explain(listed[row].entry_id)} if first == "Entry" else {},
    )
    st.caption(f"Before refunds. Showing {len(rows)} of {count:,}." if count > len(rows) else "Before refunds.")
