"""The screen Payments: a payment step by step, and the gateway's books beside ours."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.payments import configured, receiving
from credits_core.payments.sandbox import Ending, Sandbox
from credits_core.store.kinds import Happened
from credits_core.values.days import EARLIEST
from credits_core.values.roles import PersonRole
from pages.money import at_gateway
from tests.support import paying, plain_sql, selling, world
from tests.support.acting import actor_as, signed_in
from tests.support.actors import TESTER
from tests.support.page_driver import (
    as_read,
    button_labels,
    captions,
    charts,
    click,
    downloads,
    metrics,
    open_page,
    run,
    small_tables,
    table,
)

PAYMENTS = "money/payments.py"
MONEY = ("Money in", "Money out", "Gateway's fee", "Left for us")
ALL = {"view": "Reconciliation", "period": "all"}


def money(page: AppTest) -> list[str]:
    return [metrics(page)[label][0] for label in MONEY]


def credits_of(page: AppTest) -> list[tuple[str, ...]]:
    return small_tables(page)["What has become of the purchase's credits"]


def said(page: AppTest) -> list[str]:
    return [one.value for one in page.markdown]


def can_be_clicked(page: AppTest) -> dict[str, bool]:
    return {one.label: not one.disabled for one in page.button if one.label in ("Back", "Next")}


def alerts(page: AppTest) -> list[str]:
    return [one.title for one in [*page.success, *page.warning, *page.info]]


def test_a_dispute_after_credits_were_spent_step_by_step(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    world.charge(ledger, world.run_by("zoe"), key="run", now=datetime.now(UTC))  # 300 credits
    page = open_page(PAYMENTS, purchase="1")
    assert money(page) == ["$5.00", "$0.00", "$0.45", "$4.55"]
    click(page, "Dispute the payment")
    assert credits_of(page) == [
        ("Can be spent", "0 ($0.00)".replace("$", "\\$"), "-5,000,000"),
        ("Spent", "300 (\\$0.0003)", "+300"),
        ("Frozen", "4,999,700 (\\$4.9997)", "+4,999,700"),
    ]
    assert plain_sql.balance(ledger, "zoe") == 0
    click(page, "Lose the dispute")
    assert money(page) == ["$5.00", "$5.00", "$0.45", "-$0.45"]
    assert ":material/info: Purchase 1: The dispute is lost: the bank took the money." in said(page)
    assert "Where the credits are now" in [one.value for one in page.header]
    assert ("Taken by the bank", "4,999,700 (\\$4.9997)", "+4,999,700") in credits_of(page)
    assert ("Owed", "300 (\\$0.0003)", "+300") in credits_of(page)
    (chart,) = charts(page)
    drawn = {bar["name"]: bar["x"] for bar in chart["data"]}
    assert drawn["Owed"] == [0, 0, 300]
    assert drawn["Can be spent"] == [5_000_000, 0, 0]
    click(page, "Back")
    assert money(page)[1] == "$0.00"


def test_what_comes_next_is_played_after_the_last_step_alone(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    page = click(open_page(PAYMENTS, purchase="1"), "Dispute the payment")
    assert can_be_clicked(page) == {"Back": True, "Next": False}
    assert can_be_clicked(click(page, "Back")) == {"Back": True, "Next": True}
    assert can_be_clicked(click(page, "Back")) == {"Back": False, "Next": True}
    click(click(page, "Next"), "Next")
    assert "Win the dispute" in button_labels(page)
    assert "Win the dispute" not in button_labels(click(page, "Back"))
    assert "Win the dispute" in button_labels(click(page, "Next"))


def test_a_dispute_that_is_won_gives_the_credits_back(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    page = click(click(open_page(PAYMENTS, purchase="1"), "Dispute the payment"), "Win the dispute")
    assert plain_sql.balance(ledger, "zoe") == 5_000_000
    assert ":material/check_circle: Purchase 1: The dispute is won: the money stays." in said(page)
    assert credits_of(page)[0] == ("Can be spent", "5,000,000 (\\$5.00)", "+5,000,000")


def test_only_finance_plays_disputes(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    for role in PersonRole:
        with signed_in(actor_as(role)):
            shown = "Dispute the payment" in button_labels(open_page(PAYMENTS, purchase="1"))
        assert shown == (role in (PersonRole.FINANCE, PersonRole.ADMIN)), role


def test_without_an_address_the_newest_purchase_is_shown_and_without_any_the_way_to_one(ledger: Engine) -> None:
    assert alerts(open_page(PAYMENTS)) == ["No payment yet"]
    selling.sell(ledger, "zoe")
    selling.sell(ledger, "ben", key="newer")
    assert open_page(PAYMENTS).selectbox[0].value == 2
    assert open_page(PAYMENTS, purchase="1").selectbox[0].value == 1


def test_when_all_matches_the_screen_says_so(ledger: Engine) -> None:
    assert alerts(open_page(PAYMENTS, **ALL)) == ["No payment on these days"]  # type: ignore[arg-type]
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    page = open_page(PAYMENTS, **ALL)  # type: ignore[arg-type]
    assert alerts(page) == ["Everything matches"]
    (day,) = table(page)
    assert (day["Match"], day["Paid, gateway"], day["Paid, ours"], day["Fees"]) == (1, "$5.00", "$5.00", "$0.45")


def test_a_lost_event_is_found_and_mended(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.EVENT_LOST)
    page = open_page(PAYMENTS, **ALL)  # type: ignore[arg-type]
    assert alerts(page) == ["The gateway's books differ from ours"]
    (day,) = table(page)
    assert (day["Match"], day["Missing here"], day["Paid, gateway"], day["Paid, ours"]) == (None, 1, "$5.00", "$0.00")
    page.session_state["window"] = {"is_narrow": True}
    (day,) = table(run(page))
    assert list(day) == ["Day", "Differences", "Paid, gateway", "Paid, ours", "Back, gateway", "Back, ours"]
    assert day["Differences"] == 1
    click(page, "Mend")
    assert alerts(page) == ["Everything matches"]
    assert plain_sql.balance(ledger, "zoe") == 5_000_000
    assert paying.stored(ledger).receipt == 1


def test_what_only_we_know_and_what_we_know_otherwise_is_mended_by_the_gateway_s_books(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.EVENT_LOST)
    (theirs,) = configured.gateway(ledger).events(EARLIEST)
    wrong = replace(theirs, event_id="wrong", amount_minor=400)
    unknown = replace(theirs, event_id="unknown", about="nobody's", amount_minor=100)
    for event in (wrong, unknown):
        receiving.take_in(ledger, event, now=datetime.now(UTC), actor=TESTER)
    assert plain_sql.balance(ledger, "zoe") == 5_000_000  # by 4 and 1 dollars
    page = open_page(PAYMENTS, **ALL)  # type: ignore[arg-type]
    (day,) = table(page)
    assert (day["Missing at the gateway"], day["Different amount"], day["Missing here"]) == (1, 1, None)
    badges = as_read("\n".join(one.value for one in page.markdown))
    assert "Missing at the gateway" in badges
    assert "Different amount" in badges
    for _ in range(2):
        next(button for button in page.button if button.label == "Mend").click()
        page.run()
    assert alerts(page) == ["Everything matches"]
    kinds = [one.kind for one in paying.stored(ledger).told]
    assert kinds == [Happened.OPENED, *[Happened.PAID] * 4]
    assert plain_sql.balance(ledger, "zoe") == 5_000_000


def test_a_viewer_sees_what_differs_and_mends_nothing(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.EVENT_LOST)
    with signed_in(actor_as(PersonRole.TESTER)):
        page = open_page(PAYMENTS, **ALL)  # type: ignore[arg-type]
    assert alerts(page) == ["The gateway's books differ from ours"]
    assert "Mend" not in button_labels(page)


class _Forgetful(Sandbox):
    """The embedded gateway, which lists its books of the last ten days alone."""

    def earliest(self) -> datetime | None:
        return datetime.now(UTC) - timedelta(days=10)


def test_days_that_the_gateway_does_not_list_any_more_are_left_out_and_the_screen_says_so(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_gateway, "gateway", lambda: _Forgetful(ledger, lambda: datetime.now(UTC)))
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    begin = datetime.now(UTC).date() - timedelta(days=9)
    page = open_page(PAYMENTS, **ALL)  # type: ignore[arg-type]
    assert f"The comparison begins on {begin}." in captions(page)
    assert alerts(page) == ["Everything matches"]
    page = open_page(PAYMENTS, view="Reconciliation", period="30d")
    assert f"Days before {begin} are left out." in captions(page)
    page = open_page(PAYMENTS, view="Reconciliation", days=["2020-01-01", "2020-01-31"])  # type: ignore[arg-type]
    assert alerts(page) == ["These days cannot be compared"]
    all_listed = [begin.isoformat(), "2099-12-31"]
    assert "left out" not in captions(open_page(PAYMENTS, view="Reconciliation", days=all_listed))  # type: ignore[arg-type]


def test_every_line_of_the_reconciliation_is_in_a_file(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.EVENT_LOST)
    with downloads() as downloaded:
        open_page(PAYMENTS, **ALL)  # type: ignore[arg-type]
        text = downloaded.files["reconciliation.csv"]().decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text, newline=""))
    shown = {name: line[name] for name in ("purchase", "kind", "match", "gateway", "ours", "gateway_fee", "currency")}
    assert shown == {
        "purchase": "1",
        "kind": "paid",
        "match": "missing_here",
        "gateway": "5.00",
        "ours": "",
        "gateway_fee": "0.45",
        "currency": "usd",
    }
