"""The tables of the screen People: everybody with their roles, and what each role may do."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from credits_core.access.people import PersonRecord
from credits_core.values.roles import MAY, May, PersonRole
from pages.parts import clock, csv_files, resources, window, words
from pages.people import changing

_COLOURS = {
    PersonRole.VIEWER: "gray",
    PersonRole.TESTER: "blue",
    PersonRole.PRICING: "violet",
    PersonRole.FINANCE: "green",
    PersonRole.ADMIN: "orange",
}
_IN_WORDS = {
    May.SEE: "See every screen, and try what-ifs",
    May.TRY: "Run prompts and move credits of test users",
    May.DRAFT_PLANS: "Save price plans and model prices",
    May.PROPOSE_PLANS: "Propose to make a plan or prices live",
    May.APPROVE_PLANS: "Approve plans that another proposed",
    May.MOVE_CREDITS: "Add, adjust and refund credits of any user",
    May.PROPOSE_PAYOUTS: "Propose payouts",
    May.APPROVE_MONEY: "Approve credits that another proposed",
    May.LOOK_INTO: "Note that an unusual finding was looked at",
    May.SET_LEVELS: "Set below which balance a user is told",
    May.KEEP_USAGE: "Bring in and delete usage of other systems",
    May.EXPORT_PEOPLE: "Download files with users' ids",
    May.MANAGE: "Manage people, roles, API keys and settings",
}


def everybody(people: Sequence[PersonRecord], *, may_manage: bool) -> None:
    """Everybody who has a role; whoever may manage people has buttons to change and to remove, which ask first."""
    if not people:
        st.info("Add the first admin above.", title="Nobody has a role yet", icon=":material/group_add:")
        return
    rows = [
        {
            "Person": csv_files.safe_text(one.email),
            "Roles": [role.value.capitalize() for role in PersonRole if role in one.roles],
            "Change": "Change roles",
            "Remove": "Remove",
            clock.label("Last seen"): one.seen_at,
            clock.label("Since"): one.since,
            "Added by": csv_files.safe_text(words.actor_name(one.added_by) if one.added_by else "their domain"),
        }
        for one in people
    ]
    table = pd.DataFrame(rows).astype({clock.label("Last seen"): "datetime64[us, UTC]"})
    left_out = [] if may_manage else ["Change", "Remove"]
    if window.is_narrow():
        left_out += [clock.label("Since"), "Added by"]
    minute = "YYYY-MM-DD HH:mm"
    zone = resources.zone().name
    st.dataframe(
        table.drop(columns=left_out),
        width="stretch",
        hide_index=True,
        column_config={
            "Person": st.column_config.TextColumn(pinned=True),
            "Roles": st.column_config.MultiselectColumn(
                options=[role.value.capitalize() for role in PersonRole], color=list(_COLOURS.values()), width=190
            ),
            "Change": changing.button_column(changing.CHANGE, people),
            "Remove": changing.button_column(changing.REMOVE, people),
            clock.label("Last seen"): st.column_config.DatetimeColumn(format=minute, timezone=zone),
            clock.label("Since"): st.column_config.DatetimeColumn(format="YYYY-MM-DD", timezone=zone),
        },
        placeholder="–",
        key="people",
        alt="Everybody who has a role",
    )
    unknown = [one for one in people if one.unknown_roles]
    if unknown:
        said = "; ".join(f"{words.plain(one.email)}: {words.plain(', '.join(one.unknown_roles))}" for one in unknown)
        st.warning(
            f"{said}. They give nothing. Save the person's roles anew.",
            title="Roles that this version does not know",
            icon=":material/help:",
        )
    if may_manage:
        changing.questions(people)


def roles() -> None:
    """What each role may do: a line for each thing, a column for each role."""
    st.table(
        pd.DataFrame(
            [
                {"": said, **{role.value.capitalize(): "yes" if may in MAY[role] else "" for role in PersonRole}}
                for may, said in _IN_WORDS.items()
            ]
        ).set_index(""),
        alt="What each role may do",
    )
