import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.access import keys as api_keys
from credits_core.access.refusals import UnknownKey
from credits_core.api import known_keys
from credits_core.errors import CreditsError
from credits_core.ledger.requests import ChargeRequest
from credits_core.store import database
from credits_core.values.roles import Role
from pages.build import examples as api_examples
from pages.build import keys
from tests.support import page_driver, plain_sql, world
from tests.support.actors import TESTER
from tests.support.page_driver import choose, click, click_in_row, links, open_page, table

STORED = "SELECT name, role, user_id, revoked_at_us IS NULL FROM api_keys ORDER BY id"
HOSTILE = ["o'ada", '"; exit 1 #', "$(exit 1)", "`exit 1`", "a\\b\nc", "=1+1", "ä & 語?"]


def console(**query: str) -> AppTest:
    return open_page("build/api_console.py", **query)


def console_at(address: str, **query: str) -> AppTest:
    """The page as a browser shows it that found it at this address."""
    page = console(**query)
    page.context = {"url": f"{address}/api-console"}
    return page_driver.run(page)


def make(page: AppTest, name: str) -> AppTest:
    page.text_input(key="key_name").set_value(name)
    return click(page, "Make key")


def shown_keys(page: AppTest) -> list[str]:
    return [code.value for code in page.code if code.value.startswith("pfk_")]


def shown_key(page: AppTest) -> str:
    (key,) = shown_keys(page)
    return str(key)


def examples(page: AppTest) -> tuple[str, str]:
    """The example for a shell and the one in Python."""
    (in_shell,) = (code.value for code in page.code if code.value.startswith("curl "))
    (in_python,) = (code.value for code in page.code if "urllib.request.Request(" in code.value)
    return in_shell, in_python


def alerts(page: AppTest) -> list[str]:
    return [alert.value for alert in (*page.error, *page.warning, *page.info)]


def store_key(engine: Engine, name: str, *, now: datetime | None = None, expires_at: datetime | None = None) -> str:
    key = api_keys.new_key()
    database.write(
        engine,
        lambda connection: api_keys.create_key(
            connection,
            name,
            key=key,
            role=Role.SERVICE,
            expires_at=expires_at,
            now=now or datetime.now(UTC),
            actor=TESTER,
        ),
    )
    return key


def is_in_force(engine: Engine, key: str) -> bool:
    try:
        with database.read(engine) as connection:
            api_keys.authenticate(connection, key, now=datetime.now(UTC))
    except CreditsError:
        return False
    return True


def run_shell(command: str, key: str) -> str:
    return output_of(["bash", "-c", command], key)


def run_python(script: str, key: str) -> str:
    return output_of([sys.executable, "-I", "-c", script], key)


def output_of(command: list[str], key: str) -> str:
    """What it prints where the environment holds the key. It must not fail."""
    environment = os.environ | {"PROMPTFLOW_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_made_key_is_shown_with_a_warning_and_is_in_force(ledger: Engine) -> None:
    page = make(console(), "shop")
    assert [warning.value for warning in page.warning] == [
        "This is the key shop. Only its hash is stored, so it cannot be shown again."
    ]
    key = shown_key(page)
    assert f"export PROMPTFLOW_KEY={key}" in [code.value for code in page.code]
    assert is_in_force(ledger, key)
    assert plain_sql.rows(ledger, STORED) == [("shop", "service", None, 1)]
    assert [(row["Name"], row["Key"]) for row in table(page)] == [("shop", f"{key[:10]}…")]


def test_a_key_is_shown_until_the_person_is_done_and_used_until_it_is_forgotten(ledger: Engine) -> None:
    page = make(console(), "shop")
    key = shown_key(page)
    assert shown_key(choose(page, model="gpt-4")) == key
    click(page, "Done")
    assert shown_keys(page) == []
    assert page.session_state["key:make:action"].outcome is None
    assert page.text_input(key="key_name").value == ""
    assert page.session_state["key:in-use"].key == key
    click(page, "Use another key")
    assert "key:in-use" not in page.session_state
    assert key not in str(page.session_state.to_dict())


def test_another_session_never_sees_the_key(ledger: Engine) -> None:
    page = make(console(), "shop")
    other = console()
    assert shown_key(page) not in "".join(code.value for code in other.code)
    assert other.text_input(key="key_name").value == ""
    assert [row["Name"] for row in table(other)] == ["shop"]


def test_the_second_key_is_another_one(ledger: Engine) -> None:
    page = make(console(), "shop")
    first = shown_key(page)
    make(click(page, "Done"), "till")
    assert shown_key(page) != first
    assert [row["Name"] for row in table(page)] == ["till", "shop"]


@pytest.mark.parametrize("role", list(Role))
def test_only_a_key_for_a_user_asks_for_the_user(ledger: Engine, role: Role) -> None:
    page = choose(console(), key_role=role)
    asked = "key_user" in {box.key for box in page.selectbox}
    assert asked == (role is Role.USER)
    if asked:
        assert page.selectbox(key="key_user").options == ["ada"]
        page.selectbox(key="key_user").set_value("ada")
    make(page, "k")
    assert plain_sql.rows(ledger, STORED) == [("k", role.value, "ada" if asked else None, 1)]
    assert (table(page)[0]["Role"], table(page)[0]["User"]) == (role.value.capitalize(), "ada" if asked else None)


@pytest.mark.parametrize(
    ("name", "role", "user", "refusal"),
    [
        ("", Role.ADMIN, None, "Name must be 1 to 128 characters"),
        ("two words", Role.ADMIN, None, "Name must be 1 to 128 characters"),
        ("taken", Role.ADMIN, None, "A key named 'taken' already exists\\."),
        ("reader", Role.USER, None, "User must be given for a key with the role user"),
        ("reader", Role.USER, "zoe", "There is no user 'zoe'\\."),
    ],
)
def test_a_refused_key_says_why_and_can_be_mended(
    ledger: Engine, name: str, role: Role, user: str | None, refusal: str
) -> None:
    store_key(ledger, "taken")
    page = choose(console(), key_role=role)
    if user:
        page.selectbox(key="key_user").options.append(user)
        page.selectbox(key="key_user").set_value(user)
    make(page, name)
    assert page.error[0].proto.title.startswith(refusal)
    assert len(plain_sql.rows(ledger, STORED)) == 1
    make(choose(page, key_role=Role.SERVICE), "fine")
    assert not page.error
    assert is_in_force(ledger, shown_key(page))


def test_a_key_expires_at_the_beginning_of_the_chosen_day(ledger: Engine) -> None:
    page, today = console(), datetime.now(UTC).date()
    assert page.date_input(key="key_expires").min > today
    page.date_input(key="key_expires").set_value(today + timedelta(days=30))
    make(page, "shop")
    (first_refused_us,) = plain_sql.rows(ledger, "SELECT expires_at_us FROM api_keys")[0]
    assert first_refused_us == ((today - date(1970, 1, 1)).days + 30) * 86_400 * 1_000_000
    assert table(page)[0]["Expires (UTC)"].date() == today + timedelta(days=30)


def test_the_table_tells_the_state_of_every_key_newest_first(ledger: Engine) -> None:
    store_key(ledger, "old", now=world.NOW, expires_at=world.LATER)
    store_key(ledger, "gone")
    database.write(
        ledger, lambda connection: api_keys.revoke_key(connection, "gone", now=datetime.now(UTC), actor=TESTER)
    )
    store_key(ledger, "new")
    rows = [(row["Name"], list(row["State"]), row["Action"], row["Rotate"]) for row in table(console())]
    assert rows == [
        ("new", ["Active"], "Revoke", "Rotate"),
        ("gone", ["Revoked"], None, None),
        ("old", ["Expired"], "Revoke", None),
    ]


def test_a_key_is_revoked_after_asking(ledger: Engine) -> None:
    first, second = store_key(ledger, "first"), store_key(ledger, "second")
    page = click_in_row(console(), 1)
    assert "All calls with first, the key that begins with" in page.markdown[-1].value
    assert is_in_force(ledger, first)
    click(page, "Revoke")
    assert (is_in_force(ledger, first), is_in_force(ledger, second)) == (False, True)
    assert [list(row["State"]) for row in table(page)] == [["Active"], ["Revoked"]]
    assert "Revoke" not in page_driver.button_labels(page)


def test_a_key_that_got_the_name_of_a_revoked_one_while_somebody_was_asked_stays_in_force(ledger: Engine) -> None:
    store_key(ledger, "shop")
    with database.read(ledger) as connection:
        (asked,) = api_keys.list_keys(connection)
    database.write(
        ledger, lambda connection: api_keys.revoke_key(connection, "shop", now=datetime.now(UTC), actor=TESTER)
    )
    other = store_key(ledger, "shop")
    with pytest.raises(UnknownKey):
        database.write(ledger, lambda connection: keys._revoke(connection, asked, datetime.now(UTC), TESTER))
    assert is_in_force(ledger, other)


def test_a_key_stays_in_force_when_nobody_confirms(ledger: Engine) -> None:
    key = store_key(ledger, "shop")
    click_in_row(console(), 0)
    assert is_in_force(ledger, key)


# --- examples -------------------------------------------------------------------------------------------------------


def test_every_example_runs_as_it_stands(ledger: Engine, api: str) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("no bash and curl: install Debian's packages bash and curl")
    page = make(console_at(api), "shop")
    key = shown_key(page)
    in_shell, in_python = examples(page)
    balance = {"user_id": "ada", "balance_credits": 1_000_000, "balance_usd": "1.000000", "held_credits": 0}
    balance |= {"frozen_credits": 0, "owed_credits": 0}
    assert json.loads(run_shell(in_shell, key)) == balance
    assert run_python(in_python, key) == f"200 {json.dumps(balance, separators=(',', ':'))}\n"

    in_shell, in_python = examples(choose(page, example="Price", model="openai/gpt-4o"))
    # 1,000 × 2.5 + 200 × 10 = 4,500 inference; 20 % of it is 900.
    assert json.loads(run_shell(in_shell, key))["total_credits"] == 5_400
    assert run_python(in_python, key).startswith('200 {"model_id":"openai/gpt-4o","inference_cost_credits":4500,')

    in_shell, in_python = examples(choose(page, example="Charge"))
    first, again, in_python_again = run_shell(in_shell, key), run_shell(in_shell, key), run_python(in_python, key)
    assert first.startswith("HTTP/1.1 201")
    assert "idempotent-replayed: true" in again
    assert in_python_again.startswith("200 ")
    assert plain_sql.balance(ledger, "ada") == 994_600

    in_shell, _ = examples(choose(page, example="Hold"))
    hold = json.loads(run_shell(in_shell, key).splitlines()[-1])
    assert (hold["state"], hold["held_credits"]) == ("open", 5_400)
    in_shell, _ = examples(choose(page_driver.run(page), example="Capture"))
    captured = json.loads(run_shell(in_shell, key).splitlines()[-1])
    assert (captured["hold_id"], captured["total_credits"], captured["released_credits"]) == (
        hold["hold_id"],
        5_400,
        0,
    )
    assert plain_sql.balance(ledger, "ada") == 994_600 - 5_400

    database.write(
        ledger, lambda connection: api_keys.revoke_key(connection, "shop", now=datetime.now(UTC), actor=TESTER)
    )
    time.sleep(known_keys.SECONDS)
    assert '"code": "unauthorized"' in run_shell(in_shell, key)
    assert run_python(in_python, key).startswith("401 ")


def test_no_example_holds_a_key(ledger: Engine) -> None:
    page = make(console(), "shop")
    for call in ("Balance", "Price", "Charge"):
        assert not any(shown_key(page) in text for text in examples(choose(page, example=call)))


@pytest.mark.parametrize("typed", HOSTILE)
@pytest.mark.parametrize("call", ["Balance", "Price", "Charge"])
def test_whatever_is_typed_stays_text_in_an_example(typed: str, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_examples.st, "session_state", {})
    example = api_examples.examples(ChargeRequest(typed, "p", typed))[call]
    words = shlex.split(api_examples.curl(example, "http://x"))
    (url,) = (word for word in words if word.startswith("http://x"))
    tree = ast.parse(api_examples.python(example, "http://x"))
    (request,) = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and "Request" in ast.unparse(node.func))
    assert ast.literal_eval(request.args[0]) == url
    if call == "Balance":
        assert url == example.url("http://x")
        assert url.partition("?user_id=")[2].isascii()
        return
    (body,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "body"
    )
    sent: dict[str, Any] = json.loads(words[words.index("-d") + 1])
    assert sent == ast.literal_eval(body)
    assert sent["model_id"] == typed
    assert sent.get("user_id", typed) == typed


def test_a_link_opens_the_example_it_names(ledger: Engine) -> None:
    page = console(user="ada", model="openai/gpt-4o", example="Charge")
    in_shell, _ = examples(page)
    assert json.loads(in_shell[in_shell.index("{") : -1]) == {
        "user_id": "ada",
        "prompt_id": "api-example",
        "model_id": "openai/gpt-4o",
        "input_tokens": 1_000,
        "output_tokens": 200,
    }
    captions = [caption.value for caption in page.caption]
    assert ":material/toll: The run costs 5,400 credits (\\$0.0054)." in captions
    assert ":material/check: ada holds 1,000,000 credits (\\$1.00), which is enough." in captions


def test_one_session_sends_one_idempotency_key_for_one_charge(ledger: Engine) -> None:
    page = console(example="Charge", model="gpt-4")
    first = examples(page)
    assert examples(page_driver.run(page)) == first
    assert examples(choose(page, model="claude-3-haiku")) != first
    assert examples(choose(page, model="gpt-4")) == first
    assert examples(console(example="Charge", model="gpt-4")) != first


def test_the_examples_and_the_link_to_the_documentation_are_for_this_server(ledger: Engine) -> None:
    page = console_at("https://credits.example.org:8443")
    assert examples(page)[0].startswith("curl 'https://credits.example.org:8443/api/credits/balance?user_id=ada'")
    assert [link.url for link in page.get("link_button")] == ["https://credits.example.org:8443/api/docs"]


def test_a_user_without_an_account_is_told_before_the_charge_is_refused(ledger: Engine) -> None:
    page = console(user="zoe", example="Charge")
    assert alerts(page) == ["zoe does not exist yet. Adding credits creates the user.", *alerts(console())]
    assert links(page)["Add credits to zoe"] == ("add-credits", "to_user=zoe&anew=")


@pytest.mark.parametrize("query", [{"user": "$x$ **b** <i>"}, {"user": "a\0"}, {"model": "none"}, {"example": "Steal"}])
def test_a_link_that_makes_no_sense_opens_the_page(ledger: Engine, query: dict[str, str]) -> None:
    assert "Make key" in page_driver.button_labels(console(**query))


def test_in_an_empty_database_the_page_says_what_to_do_next(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path):
        page = console()
        assert alerts(page) == [
            "Only a user with credits can run a prompt. Adding credits creates the user.",
            "Send one above. It shows up here.",
            "Make one above.",
        ]
        assert not page.dataframe
        assert links(page)["Add credits"] == ("add-credits", "")
        assert shown_key(make(page, "first")).startswith("pfk_")
