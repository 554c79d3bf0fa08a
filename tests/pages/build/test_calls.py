"""The last calls on the screen: filtered, opened, and explained."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.access import calls
from credits_core.access.calls import Call, Content
from credits_core.api import problems
from credits_core.api.application import create_api
from credits_core.api.resources import Resources
from credits_core.store import database
from pages.build import one_call
from pages.build.remedies import WHAT_TO_DO
from tests.support import world
from tests.support.live_dashboard import ROOT
from tests.support.page_driver import captions, choose, click, links, open_page, run

CHARGE, BALANCE = "/credits/charge-prompt", "/credits/balance"
REFUSED, CHARGED, LOOKED, KEYLESS = (digit * 32 for digit in "abcd")
DETAIL = "ada has 120 credits, but this takes 5,340. Nothing was charged. Add at least 5,220 credits and try again."


@pytest.fixture
def called(ledger: Engine) -> Engine:
    """A ledger with four calls, the last one without a key."""
    keep(
        ledger,
        Call(
            world.NOW,
            "POST",
            CHARGE,
            402,
            "insufficient_credits",
            3.25,
            REFUSED,
            Content(
                "shop",
                idempotency_key="order-9",
                request_body=b'{"user_id": "ada", "prompt_id": "p"}',
                answer_body=json.dumps({"detail": DETAIL, "user_id": "ada"}).encode(),
                answer_bytes=120,
                detail=DETAIL,
            ),
        ),
        Call(world.NOW, "POST", CHARGE, 201, "", 9.5, CHARGED, Content("shop", answer_bytes=9_000, entry_id=17)),
        Call(world.LATER, "GET", BALANCE, 200, "", 1.0, LOOKED, Content("till", query="user_id=ada%2Bb")),
        Call(world.LATER + timedelta(seconds=1), "GET", "/x", 401, "unauthorized", 0.5, KEYLESS),
    )
    return ledger


def keep(engine: Engine, *kept: Call) -> None:
    rows = [calls.row_of(one) for one in kept]
    database.write(engine, lambda connection: calls.keep(connection, rows, most=5_000))


def screen(**query: str) -> AppTest:
    return open_page("build/api_console.py", **query)


def listed(page: AppTest) -> list[str]:
    """The calls in the list, by number, method and path."""
    found = [frame.value for frame in page.dataframe if "Call" in frame.value]
    return list(found[0]["Call"]) if found else []


def test_the_last_calls_are_listed_newest_first(called: Engine) -> None:
    page = screen()
    (rows,) = (frame.value for frame in page.dataframe if "Call" in frame.value)
    rows = rows.astype(object).where(rows.notna(), None)
    assert [[list(cell) if isinstance(cell, list) else cell for cell in row] for row in rows.values.tolist()] == [
        ["4 · GET /api/x", ["401"], "unauthorized", None, None, world.LATER + timedelta(seconds=1), 0.5, KEYLESS],
        ["3 · GET /api/credits/balance", ["200"], None, "till", None, world.LATER, 1.0, LOOKED],
        ["2 · POST /api/credits/charge-prompt", ["201"], None, "shop", "17", world.NOW, 9.5, CHARGED],
        [
            "1 · POST /api/credits/charge-prompt",
            ["402"],
            "insufficient_credits",
            "shop",
            None,
            world.NOW,
            3.25,
            REFUSED,
        ],
    ]
    assert "4 of 4 calls. Updates every two seconds." in captions(page)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"outcome": "Refused"}, "41"),
        ({"outcome": "Answered"}, "32"),
        ({"outcome": "insufficient_credits"}, "1"),
        ({"caller": "till"}, "3"),
        ({"caller": "no valid key"}, "4"),
        ({"path": "/api/credits/charge-prompt"}, "21"),
        ({"look": "17"}, "2"),
        ({"look": LOOKED}, "3"),
        ({"caller": "shop", "outcome": "Answered"}, "2"),
    ],
)
def test_a_link_filters_the_calls(called: Engine, query: dict[str, str], numbers: str) -> None:
    page = screen(**query)
    assert [call[0] for call in listed(page)] == list(numbers)
    assert f"{len(numbers)} of 4 calls." in captions(page)


def test_what_is_not_found_is_said(called: Engine) -> None:
    page = screen(outcome="Failed")
    assert "None of the 4 kept calls matches. Clear the filters." in [info.value for info in page.info]
    page = screen(look="ada")
    assert [warning.proto.title for warning in page.warning] == ["ada is neither a request id nor an entry"]


def test_where_no_call_is_kept_the_screen_says_so(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_KEPT_CALLS", "0")
    assert "`CREDITS_KEPT_CALLS` is 0, so this server keeps no calls." in [info.value for info in screen().info]


def test_only_the_newest_hundred_are_listed(ledger: Engine) -> None:
    keep(ledger, *(Call(world.NOW, "GET", "/models", 200, "", 1.0, f"{n:032x}", Content("shop")) for n in range(101)))
    page = screen()
    assert (listed(page)[0], len(listed(page))) == ("101 · GET /api/models", 100)
    assert "101 of 101 calls. The newest 100 are listed." in captions(page)


def open_by_click(page: AppTest, row: int, label: str) -> AppTest:
    """The page after a click on the cell of this row that had this label when it was drawn."""
    (drawn,) = (found for found in page.dataframe if "Call" in found.value)
    states = page._tree.get_widget_states()
    clicked = states.widgets.add()
    clicked.id = drawn.proto.button_click_widgets["Call"]
    clicked.string_trigger_value.data = json.dumps({"row": row, "label": label})
    page._run(states)
    assert not page.exception, page.exception
    return page


def test_a_click_opens_the_call_that_was_seen_when_the_list_has_moved_on(called: Engine) -> None:
    page = screen()
    keep(called, Call(world.LATER, "GET", "/models", 200, "", 1.0, "e" * 32, Content("shop")))
    open_by_click(page, 3, "1 · POST /api/credits/charge-prompt")
    assert page.query_params["call"] == REFUSED
    assert page.error[0].proto.title == "ada has 120 credits, but this takes 5,340"
    click(page, "All calls")
    assert "call" not in page.query_params
    assert len(listed(page)) == 5


def test_what_was_chosen_is_still_chosen_after_a_call_was_open(called: Engine) -> None:
    world.add(called, "ben", 10_000, key="fund-ben")
    page = choose(screen(), user="ben", example="Charge", outcome="refused", api_key="pfk_pasted")
    open_by_click(page, 0, "1 · POST /api/credits/charge-prompt")
    run(page)  # something else is done while it is open
    click(page, "All calls")
    kept = {name: page.session_state[name] for name in ("user", "example", "outcome", "api_key")}
    assert kept == {"user": "ben", "example": "Charge", "outcome": "refused", "api_key": "pfk_pasted"}


def test_a_screen_that_draws_itself_runs_to_its_end() -> None:
    """After `st.stop` Streamlit goes on drawing it, into whatever is shown then, and the whole page goes blank."""
    drawn_by_themselves = {path.parent for path in (ROOT / "pages").rglob("*.py") if "run_every" in path.read_text()}
    assert drawn_by_themselves == {ROOT / "pages" / "build", ROOT / "pages" / "parts"}
    stopped = [path.name for folder in drawn_by_themselves for path in folder.glob("*.py") if "st.stop" in _code(path)]
    assert stopped == []


def _code(path: Path) -> str:
    return re.sub(r"#.*", "", path.read_text(encoding="utf-8"))


def test_a_refused_call_says_why_what_to_do_and_whose_balance_it_is_about(called: Engine) -> None:
    page = screen(call=REFUSED)
    (error,) = page.error
    assert error.proto.title == "ada has 120 credits, but this takes 5,340"
    said, _, what_to_do = error.value.partition("\n\n")
    assert said.replace("\\", "") == "Nothing was charged. Add at least 5,220 credits and try again."
    documented = "http://127.0.0.1:8501/api/docs#/credits/charge_prompt"
    assert what_to_do.startswith(f"[`insufficient_credits`]({documented}): let the user buy the difference")
    assert links(page) == {"Balance of ada": ("balances", "to_user=ada&anew=")}
    facts = f"By: shop · At (UTC): 2026-03-01 12:00:00 · Took: 3.2 ms · Request id: {REFUSED}"
    assert f"{facts} · Idempotency-Key: order\\-9" in captions(page).splitlines()
    sent, answered = (json.loads(code.value) for code in page.code)
    assert (sent, answered["detail"]) == ({"user_id": "ada", "prompt_id": "p"}, DETAIL)
    assert page.header[0].value == "POST /api/credits/charge-prompt"


def test_a_charge_leads_to_its_entry_and_says_where_its_answer_is_cut(called: Engine) -> None:
    page = screen(call=CHARGED)
    assert not page.error
    assert links(page) == {
        "Entry 17": ("history", "to_entry=17&anew="),
        "Explain this charge": ("explain-charge", "to_entry=17&anew="),
    }
    assert "Cut after 4,096 of 9,000 bytes." in captions(page)


def test_a_look_up_shows_its_query_and_leads_to_the_user(called: Engine) -> None:
    page = screen(call=LOOKED)
    assert "?user_id=ada%2Bb" in [code.value for code in page.code]
    assert links(page)["Balance of ada\\+b"] == ("balances", "to_user=ada%2Bb&anew=")


def test_a_call_without_a_key_says_that_nothing_more_is_kept(called: Engine) -> None:
    page = screen(call=KEYLESS)
    assert page.error[0].proto.title.startswith("The call had no valid key")
    assert not page.code


def test_a_call_that_is_not_kept_any_more_is_said(ledger: Engine) -> None:
    page = screen(call="f" * 32)
    assert [info.proto.title for info in page.info] == ["No such call"]
    assert run(click(page, "All calls")).query_params == {}


# --- what to do, and where it is documented -------------------------------------------------------------------------


def test_what_to_do_is_said_in_the_words_of_the_documentation() -> None:
    table = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z_]+)` \| [0-9]{3} \|.*\| ([^|]+) \|$", table, re.MULTILINE))
    assert {code: text.partition(", as [below]")[0] for code, text in documented.items()} == WHAT_TO_DO
    assert {refusal.code for refusal in problems._EXAMPLES} < WHAT_TO_DO.keys()


def test_every_path_leads_to_its_place_in_the_documentation(ledger: Engine) -> None:
    resources = Resources(str(ledger.url))
    gate: object = create_api(resources)
    document = gate._app.openapi()  # type: ignore[attr-defined]
    anchors = {
        path: f"http://h/api/docs#/{operation['tags'][0]}/{operation['operationId']}"
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if operation["tags"] != ["status"]
    }
    found = {path: one_call.documentation("http://h", path.replace("{entry_id}", "17")) for path in anchors}
    assert found == anchors
    resources.close()
