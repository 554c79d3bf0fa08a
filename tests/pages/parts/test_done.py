"""What was done in a visit: the confirmation that stays, its undo, and the list in the sidebar."""

from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from credits_core.errors import InvalidRequest
from pages.parts import done
from tests.support.page_driver import click


def _screen() -> None:
    import streamlit as st

    from credits_core.errors import InvalidRequest
    from pages.parts import done, head

    def undo() -> str:
        st.session_state["undone"] = st.session_state.get("undone", 0) + 1
        return "Taken back by entry 8."

    def refuse() -> str:
        raise InvalidRequest("entry_id", "was refunded meanwhile")

    title = st.session_state.get("title", "Bench")
    st.button("Do it", on_click=done.add, args=("Bench", "Charged ada"), kwargs={"undo": undo})
    st.button("Do in vain", on_click=done.add, args=("Bench", "Charged ben"), kwargs={"undo": refuse})
    st.button("Do quietly", on_click=done.add, args=("Bench", "Charged cleo"), kwargs={"is_shown": False})
    with st.sidebar:
        done.activity()
    with head.line(title, "A screen of a test.", about="Nothing."):
        pass


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_function(_screen, default_timeout=60).run()


def head(page: AppTest) -> list[str]:
    """What stands under the first line, apart from what it is all about."""
    return [text.value for text in page.main.markdown if text.value != "Nothing."]


def listed(page: AppTest) -> list[str]:
    return [text.value for text in page.sidebar.markdown]


def undo_in_head(page: AppTest) -> Any:
    return next(button for button in page.main.button if button.label == "Undo")


def test_a_new_visit_begins_empty(page: AppTest) -> None:
    assert (head(page), listed(page)) == ([], [])
    assert any("Nothing yet" in caption.value for caption in page.sidebar.caption)
    assert page.sidebar.get("popover")[0].proto.popover.label == "This visit: 0"


def test_what_was_done_stays_until_it_is_put_away_and_is_listed_the_newest_first(page: AppTest) -> None:
    click(page, "Do it")
    assert head(page) == [":material/check_circle: Charged ada"]
    click(page, "Do in vain")
    assert head(page.run()) == [":material/check_circle: Charged ben"]
    assert listed(page) == ["Charged ben", "Charged ada"]
    page.button(key="done:close").click().run()
    assert (head(page), listed(page)) == ([], ["Charged ben", "Charged ada"])


def test_what_has_a_place_of_its_own_is_only_listed(page: AppTest) -> None:
    click(page, "Do quietly")
    assert (head(page), listed(page)) == ([], ["Charged cleo"])
    assert [button.label for button in page.sidebar.button] == []


def test_it_is_shown_on_its_own_screen_alone(page: AppTest) -> None:
    click(page, "Do it")
    page.session_state["title"] = "History"
    assert (head(page.run()), listed(page)) == ([], ["Charged ada"])
    page.session_state["title"] = "Bench"
    assert head(page.run()) == [":material/check_circle: Charged ada"]


def test_it_can_be_undone_once_and_then_says_so(page: AppTest) -> None:
    click(page, "Do it")
    undo_in_head(page).click().run()
    assert head(page) == [":material/undo: Taken back by entry 8."]
    assert listed(page) == ["~~Charged ada~~ Taken back by entry 8."]
    assert page.session_state["undone"] == 1
    assert [button for button in page.button if button.label == "Undo"] == []


def test_it_can_be_undone_from_the_list(page: AppTest) -> None:
    click(click(page, "Do it"), "Do quietly")
    (undo,) = (button for button in page.sidebar.button if button.label == "Undo")
    undo.click().run()
    assert listed(page) == ["Charged cleo", "~~Charged ada~~ Taken back by entry 8."]


def test_an_undo_that_is_refused_says_why_and_is_not_offered_again(page: AppTest) -> None:
    click(page, "Do in vain")
    undo_in_head(page).click().run()
    assert not page.exception
    said = r"Not undone: Entry was refunded meanwhile\."
    assert head(page) == [f":material/undo: {said}"]
    assert listed(page) == [f"~~Charged ben~~ {said}"]
    assert [button for button in page.button if button.label == "Undo"] == []


def test_a_second_click_on_a_button_that_was_not_drawn_anew_undoes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})
    undone: list[int] = []

    def undo() -> str:
        undone.append(1)
        return "Taken back."

    def refuse() -> str:
        undone.append(2)
        raise InvalidRequest("entry_id", "was refunded meanwhile")

    done.add("Bench", "Charged ada", undo=undo)
    done.add("Bench", "Charged ben", undo=refuse)
    for one in done.all_done():
        done._undo(one.id)
        done._undo(one.id)
    assert undone == [1, 2]


def test_the_list_keeps_the_last_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})
    for number in range(60):
        done.add("Bench", f"Run {number}")
    assert [one.said for one in done.all_done()] == [f"Run {number}" for number in range(10, 60)]
