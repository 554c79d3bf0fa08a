"""The screen Webhooks: an endpoint with its secret shown once, what it answered, dead letters, and levels."""

import pytest
from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from credits_core.notices import deliveries, endpoints, low_balance
from credits_core.store import database
from credits_core.store.kinds import DeliveryState
from tests.support import receiver, walked_webhooks, world
from tests.support.actors import TESTER
from tests.support.hooks import look
from tests.support.page_driver import as_read, captions, click, click_in_row, links, open_page, run, table
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

FILE = "build/webhooks.py"


def shown(page: AppTest) -> str:
    return as_read("\n".join(one.value for one in page.markdown))


def test_an_endpoint_is_added_with_its_secret_shown_once_and_told(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver.listening() as to:
        monkeypatch.setenv("CREDITS_WEBHOOK_HOSTS", to.host)
        page = open_page(FILE)
        page.text_input[0].set_value(to.url)
        page.multiselect(key="webhook_events").set_value(["run.charged"])
        click(page, "Add endpoint")
        secret = scalar(ledger, "SELECT secret FROM webhook_endpoints")
        assert [code.value for code in page.code] == [secret]
        click(page, "Done")
        assert [code.value for code in page.code] == []
        world.charge(ledger, world.HAIKU, key="run")
        look(ledger, 1, to)
        page = open_page(FILE, view="Deliveries")
        assert to.told() == [("run.charged", "ada")]
        (delivery,) = table(page)
        assert (delivery["Event"], delivery["User"], delivery["State"], delivery["Answer"]) == (
            "run.charged",
            "ada",
            ["Delivered"],
            "200: thanks",
        )


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://10.0.0.1/", "Address must be public: 10.0.0.1 is inside this network"),
        ("http://10.0.0.7", "or have its host in CREDITS_WEBHOOK_HOSTS: list 10.0.0.7 there."),
        ("https://nowhere.invalid/", "nowhere.invalid was not found. Check the spelling."),
        ("", "Address must be an address such as"),
    ],
)
def test_an_address_that_may_not_be_told_is_refused_and_nothing_is_added(
    ledger: Engine, address: str, says: str
) -> None:
    page = open_page(FILE)
    page.text_input[0].set_value(address)
    click(page, "Add endpoint")
    assert says in as_read(page.error[0].proto.title)
    assert page.error[0].value == "No endpoint was added."
    assert rows(ledger, "SELECT id FROM webhook_endpoints") == []


def test_a_dead_letter_is_sent_again_by_a_click(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    page = open_page(FILE, view="Dead letters")
    assert [(one.proto.title, one.value) for one in page.warning] == [
        ("1 event could not be sent", "It was tried for three days. Open *Dead letters* to send it again.")
    ]
    (row,) = table(page)
    assert (row["Event"], row["User"], row["Endpoint"], row["Answer"]) == ("run.charged (test)", None, 1, None)
    click_in_row(page, 0, "Send again", column="Action")
    assert rows(ledger, "SELECT state, tries FROM webhook_deliveries") == [("waiting", 0)]
    assert [one.proto.title for one in page.info] == ["No dead letters"]
    assert links(page)["Deliveries"] == ("webhooks", "to_view=Deliveries&anew=")


def test_several_dead_letters_are_spoken_of_in_the_plural(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    database.write(ledger, lambda one: deliveries.send_test(one, 1, key="another", now=NOW, actor=TESTER))
    dead = text("UPDATE webhook_deliveries SET state = 'dead', next_at_us = NULL, tries = 10")
    database.write(ledger, lambda one: one.execute(dead))
    (warning,) = open_page(FILE).warning
    assert warning.proto.title == "2 events could not be sent"
    assert warning.value == "They were tried for three days. Open *Dead letters* to send them again."


@pytest.mark.parametrize(
    ("view", "title"),
    [
        ("Endpoints", "No endpoint yet"),
        ("Deliveries", "Nothing sent yet"),
        ("Dead letters", "No dead letters"),
        ("Low balances", "No level yet"),
    ],
)
def test_the_address_keeps_the_view_and_an_empty_one_says_what_comes_here(
    ledger: Engine, view: str, title: str
) -> None:
    assert title in [one.proto.title for one in open_page(FILE, view=view).info]


def test_in_a_narrow_window_a_delivery_says_which_endpoint_and_not_which_user(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    page = open_page(FILE, view="Deliveries")
    assert {"User", "Endpoint", "Tries"} <= set(table(page)[0])
    page.session_state["window"] = {"is_narrow": True}
    narrow = set(table(run(page))[0])
    assert {"Endpoint", "Answer"} <= narrow
    assert {"User", "Tries"} & narrow == set()


def test_an_endpoint_is_tested_gets_a_new_secret_and_is_removed(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    page = click(open_page(FILE), "Send test event")
    assert ":material/check_circle: A test event is on its way to endpoint 1." in [one.value for one in page.markdown]
    assert links(page)["Deliveries"] == ("webhooks", "to_view=Deliveries&anew=")
    assert scalar(ledger, "SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting'") == 1
    click(page, "Make new secret")
    assert [code.value for code in page.code] == [scalar(ledger, "SELECT secret FROM webhook_endpoints")]
    assert scalar(ledger, "SELECT old_secret FROM webhook_endpoints") is not None
    click(page, "Remove endpoint")
    assert "No endpoint yet" in str([one.proto for one in page.info])


def test_a_disabled_endpoint_says_why_and_is_enabled(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    database.write(ledger, walked_webhooks.disable)
    page = open_page(FILE)
    assert "It has taken nothing for 5 days" in " ".join(one.value for one in page.caption)
    click(page, "Enable")
    assert scalar(ledger, "SELECT disabled_at_us FROM webhook_endpoints") is None


def test_a_level_is_set_and_removed(ledger: Engine) -> None:
    page = open_page(FILE, view="Low balances")
    assert "1,000,000 credits (\\$1.00)" in captions(page)
    page.text_input(key="level_credits").set_value("5,000")
    page.text_input(key="level_user").set_value("ada")
    click(page, "Set level")
    assert rows(ledger, "SELECT user_id, level_credits FROM low_balance_levels") == [("ada", 5_000)]
    assert "Level set: we tell when the balance of ada falls below 5,000 credits ($0.005)." in shown(page)
    click(run(page), "Remove level")
    assert "Level removed: we no longer tell when a balance falls below 5,000 credits ($0.005)." in shown(page)
    assert rows(ledger, "SELECT user_id FROM low_balance_levels") == []
    page.text_input(key="level_credits").set_value("")
    page.text_input(key="level_user").set_value("")
    click(page, "Set level")
    assert "Level set: we tell when anybody's balance falls below 1,000,000 credits ($1.00)." in shown(page)


def test_a_level_of_nobody_is_refused(ledger: Engine) -> None:
    page = open_page(FILE, view="Low balances")
    page.text_input(key="level_user").set_value("nobodyever")
    click(page, "Set level")
    assert [as_read(one.proto.title) for one in page.error] == [
        "There is no user 'nobodyever'. Add credits to create the user first."
    ]
    assert [one.value for one in page.error] == ["No level was set."]
    assert rows(ledger, "SELECT user_id FROM low_balance_levels") == []


def test_low_balances_say_whether_anybody_is_told(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def warned() -> bool:
        return "Nobody is told" in [one.proto.title for one in open_page(FILE, view="Low balances").warning]

    assert warned()
    monkeypatch.setenv("CREDITS_NOTIFY_URLS", "json://localhost")
    assert not warned()
    monkeypatch.delenv("CREDITS_NOTIFY_URLS")
    database.write(ledger, walked_webhooks.prepare)
    assert not warned()
    database.write(ledger, walked_webhooks.disable)
    assert warned()


@pytest.mark.parametrize("button", ["Send test event", "Make new secret", "Remove endpoint"])
def test_a_button_that_is_refused_says_why(ledger: Engine, button: str) -> None:
    database.write(ledger, walked_webhooks.prepare)
    page = open_page(FILE)
    database.write(ledger, lambda one: endpoints.remove(one, 1, now=NOW, actor=TESTER))
    click(page, button)
    assert [one.proto.title for one in page.error] == [
        r"There is no endpoint 1\. \`webhooks list\` and Webhooks show them\."
    ]
    assert [one.value for one in page.error] == ["Nothing was changed."]
    page.radio(key="view").set_value("Low balances")
    click(run(page), "Set level")
    assert page.error == []


def test_a_dead_letter_and_a_level_that_are_gone_say_so(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    page = open_page(FILE, view="Dead letters")
    database.write(ledger, lambda one: deliveries.send_again(one, 1, now=NOW, actor=TESTER))
    click_in_row(page, 0, "Send again", column="Action")
    assert [one.proto.title for one in page.error] == [
        r"There is no dead letter 1\. It may have been sent again already\."
    ]
    page = open_page(FILE, view="Low balances")
    database.write(ledger, lambda one: low_balance.remove_level(one, "", 700, now=NOW, actor=TESTER))
    click(page, "Remove level")
    assert [one.proto.title for one in page.error] == [r"Level must be a level that was set\."]


def test_dead_letters_of_an_endpoint_that_was_removed_are_not_counted(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    database.write(ledger, lambda one: endpoints.remove(one, 1, now=NOW, actor=TESTER))
    page = open_page(FILE)
    assert [one.proto.title for one in page.warning] == []
    with database.read(ledger) as connection:
        assert (deliveries.dead_letters(connection), deliveries.newest(connection, state=DeliveryState.DEAD)) == (0, [])
        assert [one.state for one in deliveries.newest(connection)] == [DeliveryState.DEAD]


def test_an_endpoint_that_is_disabled_says_that_its_dead_letters_stay(ledger: Engine) -> None:
    database.write(ledger, walked_webhooks.prepare)
    database.write(ledger, walked_webhooks.disable)
    page = open_page(FILE)
    assert "dead letters you send again one by one" in " ".join(one.value for one in page.caption)
    click(page, "Enable")
    assert scalar(ledger, "SELECT state FROM webhook_deliveries") == "dead"
