"""Long work on a page: what it says meanwhile, and what becomes of it when somebody stops it."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from credits_core.values.progress import Progress, Work
from pages.parts import long_work


@pytest.fixture(autouse=True)
def _loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_work, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(long_work, "_SECONDS_BETWEEN", 0.0)


def page_of(work_in_the_middle: str) -> AppTest:
    """A page with work of four steps; in the middle of it this code runs, as when a click ends the run of the page."""
    script = f"""
import streamlit as st
from credits_core.errors import InvalidRequest
from credits_core.values.progress import Progress
from pages.parts import long_work

def work():
    yield Progress(1, 4)
    yield Progress(2, 4)
    {work_in_the_middle}
    return "seven"

wanted = st.session_state.get("wanted", "one thing")
result = long_work.carried_out(
    "test", wanted, work, what="Counting", of="4 sheep", undone="Nothing was counted."
)
st.text(f"result: {{result}}")
"""
    page = AppTest.from_string(script, default_timeout=60).run()
    assert not page.exception
    return page


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def bars(page: AppTest) -> list[tuple[int, str]]:
    return [(found.proto.value, found.proto.text) for found in page.get("progress")]


def test_it_says_what_is_done_of_how_much_and_offers_to_stop() -> None:
    page = page_of("st.stop()")
    assert bars(page)[0][0] == 50
    assert bars(page)[0][1].startswith("Counting: 50% of 4 sheep · about ")
    assert bars(page)[0][1].endswith(" left")
    assert labels(page) == ["Stop"]


def test_when_it_is_done_nothing_of_that_is_left() -> None:
    page = page_of("pass")
    assert [text.value for text in page.text] == ["result: seven"]
    assert (bars(page), labels(page)) == ([], [])


def test_what_was_stopped_stays_stopped_until_somebody_goes_on() -> None:
    page = page_of("if 'again' not in st.session_state: st.stop()")
    page.button[0].click().run()
    assert [(box.proto.title, box.value) for box in page.warning] == [("You stopped this", "Nothing was counted.")]
    assert [text.value for text in page.text] == ["result: None"]
    page.run()
    assert labels(page) == ["Go on"]
    page.session_state["again"] = True
    page.button[0].click().run()
    assert [text.value for text in page.text] == ["result: seven"]


def test_other_work_under_the_same_name_is_not_stopped_with_it() -> None:
    page = page_of("if st.session_state.get('wanted') is None: st.stop()")
    page.button[0].click().run()
    page.session_state["wanted"] = "another thing"
    page.run()
    assert [text.value for text in page.text] == ["result: seven"]


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_work, "_QUIET_SECONDS", 60.0)
    page = page_of("st.stop()")
    assert (bars(page), labels(page)) == ([], [])


def test_a_refusal_takes_the_bar_away_and_goes_up() -> None:
    script = """
import streamlit as st
from credits_core.errors import InvalidRequest
from credits_core.values.progress import Progress
from pages.parts import long_work

def work():
    yield Progress(1, 2)
    raise InvalidRequest("sheep", "are too many")

try:
    long_work.carried_out("test", 1, work, what="Counting", of="2 sheep", undone="Nothing was counted.")
except InvalidRequest as refusal:
    st.text(f"{refusal}")
"""
    page = AppTest.from_string(script, default_timeout=60).run()
    assert [text.value for text in page.text] == ["sheep: are too many"]
    assert (bars(page), labels(page)) == ([], [])


def test_work_that_is_left_half_way_is_closed_at_once() -> None:
    # As the reading of a ledger must be, before its connection goes back.
    closed: list[str] = []

    def work() -> Work[str]:
        try:
            yield Progress(1, 2)
        finally:
            closed.append("work")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "progress", stop)
        with pytest.raises(KeyboardInterrupt):
            long_work.carried_out("test", 1, work, what="Counting", of="2 sheep", undone="Nothing was counted.")
    assert closed == ["work"]
