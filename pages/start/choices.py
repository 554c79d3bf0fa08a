"""The three ways to begin: look at the demo world, import balances, or start clean."""

from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.bulk import first_start
from credits_core.bulk.csv_rows import SentFile
from credits_core.reports import daily_totals
from credits_core.values.roles import May
from pages.parts import action, done, resources, show, who
from pages.start import importing

_DEMO, _ASKED = "start:demo", "start:demo:asked"
_MIN_CARD_PIXELS = 240


def cards() -> SentFile | None:
    """The three ways side by side. The file that somebody has sent, if any."""
    with st.grid(3, min_column_width=_MIN_CARD_PIXELS):
        with st.container(border=True, height="stretch"):
            st.header(":material/travel_explore: Look at the demo world", anchor=False)
            st.markdown(
                "A made-up month that ends today: 60 users, 12 creators, some 3,600 runs, and every problem that a "
                "price plan can have. Try anything; one button brings it back as it was."
            )
            _demo_button(is_first=True)
        with st.container(border=True, height="stretch"):
            st.header(":material/upload_file: Import balances", anchor=False)
            st.markdown("A CSV file from the system that you had before. You see what it brings before it is written.")
            sent = importing.file_box()
        with st.container(border=True, height="stretch"):
            st.header(":material/edit_note: Start clean", anchor=False)
            st.markdown(
                "An empty ledger with the prices and the price plan of PromptFlow. Add credits to a first user, then "
                "run a prompt or make an API key."
            )
            st.space("stretch")
            if who.may_or_told(May.MANAGE):
                st.button(
                    "Start clean",
                    icon=":material/check_box_outline_blank:",
                    width="stretch",
                    key="start:clean",
                    on_click=_choose_clean,
                )
    return sent


def after_a_clean_start() -> SentFile | None:
    """What comes next in an empty ledger. The other ways stay open: the file that somebody has sent, if any."""
    with st.container(border=True):
        for number, (page, label, icon, said) in enumerate(
            (
                ("act/add_credits.py", "Add credits", "add_card", "A new id opens the account of a user."),
                ("test_credits.py", "Run a prompt", "play_circle", "Choose a model, see the price, then press Run."),
                ("build/api_console.py", "Make an API key", "key", "Then your own program can charge runs."),
            ),
            start=1,
        ):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f":material/counter_{number}:", width="content")
                st.page_link(page, label=label, icon=f":material/{icon}:", width=200)
                st.caption(said, width="stretch")
    st.header("Or begin otherwise", anchor=False)
    with st.grid(2, min_column_width=_MIN_CARD_PIXELS):
        with st.container(border=True, height="stretch"):
            st.markdown("**Import balances** from a CSV file.")
            sent = importing.file_box()
        if settings.demo_enabled():
            with st.container(border=True, height="stretch"):
                st.markdown("**Look at the demo world**, a made-up month that ends today.")
                _demo_button(is_first=False)
    return sent


def import_later() -> SentFile | None:
    """Importing balances where there is something already. The file that somebody has sent, if any."""
    if not who.may(May.MOVE_CREDITS):
        return None
    with st.expander("Import balances from another system", icon=":material/upload_file:"):
        return importing.file_box()


def _demo_button(*, is_first: bool) -> None:
    st.space("stretch")
    if not who.may_or_told(May.MANAGE):
        return
    st.button(
        "Build the demo world",
        type="primary" if is_first else "secondary",
        icon=":material/public:",
        width="stretch",
        key="start:demo:build",
        on_click=_ask_for_demo,
    )


def _ask_for_demo() -> None:
    action.start_over(_DEMO)
    st.session_state[_ASKED] = True


def is_demo_asked() -> bool:
    """Whether somebody has just asked for the demo world, which may be there meanwhile."""
    return bool(st.session_state.pop(_ASKED, False))


def build_demo() -> None:
    """Build the demo world and open the overview; also when somebody else has begun meanwhile, who then is in it."""
    with st.spinner("Building the demo world…"):
        outcome = action.perform(
            _DEMO,
            None,
            lambda connection, _key, now, actor: resources.build_demo(connection, now, actor),
            seconds=action.LONG_SECONDS,
        )
        if outcome.refusal is None:
            daily_totals.catch_up(resources.engine(), resources.zone())
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was built.")
        return
    st.cache_data.clear()  # what was read from the empty ledger
    if outcome.result:
        said = "Built the demo world. The page Start says what to try in it."
    else:
        said = "Somebody else had begun already. This is what is there."
    done.add("Overview", said, link=done.Link("start/start.py", "Start", {}))
    st.switch_page("explore/overview.py")


def _choose_clean() -> None:
    actor = who.actor()
    resources.writing(lambda connection: first_start.choose_clean(connection, now=datetime.now(UTC), actor=actor))
