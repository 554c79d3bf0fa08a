"""Events reach a receiver at least once and in order of their user, whatever the receiver does, on both databases."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from standardwebhooks import Webhook

from credits_core import settings
from credits_core.errors import InvalidRequest
from credits_core.notices import deliveries, endpoints, low_balance, signing, telling
from credits_core.notices.refusals import TooManyEndpoints, UnknownDelivery, UnknownEndpoint
from credits_core.operations import webhook_jobs
from credits_core.store import database
from credits_core.store.kinds import DeliveryState, EventKind, PayoutNews
from tests.support import hooks, paying, paying_out, receiver, world
from tests.support.actors import TESTER
from tests.support.busy_ledger import three_days
from tests.support.holding import TOO_LATE, authorise, capture, expire
from tests.support.hooks import SECRET, look, states
from tests.support.plain_sql import scalar
from tests.support.world import HAIKU_WITH_FEE, NOW

DAY = timedelta(days=1)
# When a delivery that always fails is tried: 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h apart.
TRIED_AFTER_SECONDS = [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105]


def test_each_kind_of_event_is_told_with_what_happened(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        paying.buy(engine)
        paying.tell(engine, paying.event(paying.Happened.PAID))
        world.add(engine, "ada", 20_000, key="fund")
        run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
        refund = world.refund(engine, run, key="refund").entry_id
        hold = authorise(engine, key="hold").hold.id
        expire(engine, now=TOO_LATE)
        database.write(
            engine,
            lambda one: telling.tell(
                one, EventKind.PAYOUT_PAID, "ben", {"payout_id": 7, "user_id": "ben"}, about="payout 7", now=NOW
            ),
        )
        assert look(engine, 1, to) == 6
        by_kind = {one["type"]: one for one in to.taken}
        assert by_kind["purchase.paid"]["data"] == {
            "entry_id": 2,
            "user_id": "ada",
            "amount_credits": 20_000,
            "purchase_id": None,
            "balance_credits": 21_000,
        }
        assert by_kind["run.charged"] == {
            "type": "run.charged",
            "version": 1,
            "timestamp": "2026-03-01T12:00:00Z",
            "data": {
                "entry_id": run,
                "user_id": "ada",
                "prompt_id": "summarise",
                "model_id": "claude-3-haiku",
                "creator_id": "ben",
                "total_credits": 1_251,
                "creator_share_credits": 800,
                "balance_credits": 21_000 - 1_251,
            },
        }
        assert by_kind["refund.made"]["data"] == {
            "entry_id": refund,
            "user_id": "ada",
            "amount_credits": 1_251,
            "refunds_entry_id": run,
            "refunded_credits": 1_251,
            "left_credits": 0,
            "purchase_id": None,
            "balance_credits": 21_000,
        }
        assert by_kind["hold.expired"]["data"] == {
            "entry_id": hold + 1,
            "user_id": "ada",
            "hold_id": hold,
            "held_credits": 13_750,
            "balance_credits": 21_000,
        }
        assert by_kind["payout.paid"]["data"] == {"payout_id": 7, "user_id": "ben"}
        assert [one["data"]["purchase_id"] for one in to.taken if one["type"] == "purchase.paid"] == [1, None]


def test_a_payout_is_told_when_it_arrived_and_not_when_the_bank_sends_it_back(engine: Engine) -> None:
    paying_out.earn(engine, 2_000_000)
    paying_out.pay_to(engine)
    paying_out.propose(engine)
    paying_out.approve(engine)
    with receiver.listening() as to:
        hooks.add(engine, to)
        paying_out.carry_out(engine)
        paying_out.report(engine, PayoutNews.FAILED, reason="The account is closed")
        look(engine, 1, to)
        assert to.told() == [("payout.paid", "ben")]
        told = to.taken[0]["data"]
        assert (told["payout_id"], told["amount_credits"]) == (1, 1_600_000)


def test_a_hold_that_is_captured_is_a_run_and_a_creator_is_not_told_of_as_payer(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        world.add(engine, "ada", 20_000, key="fund")
        held = authorise(engine, key="hold").hold.id
        capture(engine, held, key="capture")
        look(engine, 1, to)
        assert to.told() == [("purchase.paid", "ada"), ("run.charged", "ada")]


def test_a_plan_that_is_made_live_is_told_once(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, [EventKind.PLAN_ACTIVATED])
        assert look(engine, 1, to) == 0
        world.put_in_force(engine, replace(world.price_book().plan, id="plan-2"))
        assert (look(engine, 1, to), look(engine, 1, to)) == (1, 0)
        assert to.taken[0]["data"]["plan_id"] == "plan-2"


def test_only_what_is_asked_for_and_only_what_comes_after_is_told(engine: Engine) -> None:
    with receiver.listening() as to:
        three_days(engine)
        hooks.add(engine, to, [EventKind.RUN_CHARGED])
        world.add(engine, "eve", 1_000, key="later")
        world.charge(engine, world.run_by("eve"), key="eve-run")
        look(engine, 1, to)
        assert to.told() == [("run.charged", "eve")]


def test_what_is_told_can_be_verified_and_has_the_same_id_at_every_try_and_for_everyone(engine: Engine) -> None:
    with receiver.listening() as to, receiver.listening() as other:
        hooks.add(engine, to)
        hooks.add(engine, other)
        to.answers = lambda _: 500 if to.tries == 1 else 200
        world.add(engine, "ada", 5, key="one", now=NOW)
        for one, number in ((to, 1), (other, 2)):
            look(engine, number, one)
            look(engine, number, one, now=NOW + timedelta(seconds=5))
        ids = [hook.headers[0]["webhook-id"] for hook in (to, other)]
        assert (to.tries, other.tries, ids[0] == ids[1], len(ids[0])) == (2, 1, True, 36)
        signed = signing.headers("msg_1", "{}", [SECRET], now=datetime.now(UTC))
        assert Webhook(SECRET).verify("{}", signed) == {}


def test_while_a_secret_is_replaced_both_sign_and_then_only_the_new_one(engine: Engine) -> None:
    new = signing.new_secret()
    with receiver.listening() as to:
        hooks.add(engine, to)
        database.write(engine, lambda one: endpoints.rotate(one, 1, secret=new, overlap=DAY, now=NOW, actor=TESTER))
        for number, after in enumerate((timedelta(0), DAY)):
            world.add(engine, "ada", 5, key=f"one-{number}")
            look(engine, 1, to, now=NOW + after)
        during, after_it = (given["webhook-signature"].split(" ") for given in to.headers)
        assert (len(during), len(after_it)) == (2, 1)
        at = NOW
        for signature, secret in zip(during, (new, SECRET), strict=True):
            assert signature == Webhook(secret).sign(to.headers[0]["webhook-id"], at, to.bodies[0])


def test_an_event_that_fails_holds_only_its_own_users_later_events_at_its_own_endpoint(engine: Engine) -> None:
    with receiver.listening() as to, receiver.listening() as other:
        hooks.add(engine, to)
        hooks.add(engine, other)
        to.answers = lambda event: 500 if event["data"]["user_id"] == "ada" else 200
        for number in range(3):
            for user in ("ada", "ben"):
                world.add(engine, user, 5, key=f"{user}-{number}")
        look(engine, 1, to)
        look(engine, 2, other)
        assert to.entries("ben") == [2, 4, 6]
        assert other.entries("ada") == [1, 3, 5]
        assert states(engine)[:6] == [
            ("ada", "waiting", 1),
            ("ben", "delivered", 1),
            ("ada", "waiting", 0),
            ("ben", "delivered", 1),
            ("ada", "waiting", 0),
            ("ben", "delivered", 1),
        ]
        assert look(engine, 1, to, now=NOW + timedelta(seconds=4, microseconds=999_999)) == 0
        to.answers = lambda _: 200
        assert look(engine, 1, to, now=NOW + timedelta(seconds=5)) == 3
        assert to.entries("ada") == [1, 3, 5]


def test_a_delivery_is_tried_for_three_days_and_then_is_a_dead_letter_that_can_be_sent_again(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda event: 500 if event["data"]["entry_id"] == 1 else 200
        world.add(engine, "ada", 5, key="one")
        world.add(engine, "ada", 5, key="two")
        for seconds in TRIED_AFTER_SECONDS:
            if seconds:
                assert look(engine, 1, to, now=NOW + timedelta(seconds=seconds - 1)) == 0
            look(engine, 1, to, now=NOW + timedelta(seconds=seconds))
        assert states(engine) == [("ada", "dead", 10), ("ada", "delivered", 1)]
        dead = hooks.stored(engine)[0]
        assert (dead.status, dead.answer, dead.next_at) == (500, "no", None)
        to.answers = lambda _: 200
        again = NOW + 4 * DAY
        assert look(engine, 1, to, now=again) == 0
        database.write(engine, lambda one: deliveries.send_again(one, dead.id, now=again, actor=TESTER))
        assert look(engine, 1, to, now=again) == 1
        assert states(engine) == [("ada", "delivered", 1), ("ada", "delivered", 1)]
        assert to.headers[-1]["webhook-id"] == dead.event_id
        with pytest.raises(UnknownDelivery):
            database.write(engine, lambda one: deliveries.send_again(one, dead.id, now=again, actor=TESTER))


def test_later_events_wait_for_a_dead_letter_that_is_sent_again(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda _: 500
        world.add(engine, "ada", 5, key="one")
        for seconds in TRIED_AFTER_SECONDS:
            look(engine, 1, to, now=NOW + timedelta(seconds=seconds))
        at = NOW + 4 * DAY
        database.write(engine, lambda one: deliveries.send_again(one, 1, now=at, actor=TESTER))
        world.add(engine, "ada", 5, key="two")
        look(engine, 1, to, now=at)
        assert states(engine) == [("ada", "waiting", 1), ("ada", "waiting", 0)]
        to.answers = lambda _: 200
        look(engine, 1, to, now=at + timedelta(seconds=5))
        assert to.entries("ada") == [1, 2]


def test_an_endpoint_that_takes_nothing_for_five_days_is_disabled_and_told_all_once_it_is_enabled(
    engine: Engine,
) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda _: 503
        for day in range(6):
            world.add(engine, f"user{day}", 5, key=f"day-{day}")
            look(engine, 1, to, now=NOW + day * DAY)
            because = scalar(engine, "SELECT disabled_because FROM webhook_endpoints")
            assert because == (None if day < 5 else "It has taken nothing for 5 days.")
        tries = to.tries
        world.add(engine, "late", 5, key="late")
        assert look(engine, 1, to, now=NOW + 20 * DAY) == 0
        assert to.tries == tries
        to.answers = lambda _: 200
        at = NOW + 20 * DAY
        database.write(engine, lambda one: endpoints.enable(one, 1, now=at, actor=TESTER))
        look(engine, 1, to, now=at)
        assert to.entries("late") == [7]


def test_one_success_says_that_an_endpoint_does_not_fail(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda event: 200 if event["data"]["user_id"] == "ben" else 500
        world.add(engine, "ada", 5, key="ada")
        look(engine, 1, to)
        assert scalar(engine, "SELECT failing_since_us FROM webhook_endpoints") == world.NOW_US
        world.add(engine, "ben", 5, key="ben")
        look(engine, 1, to)
        assert scalar(engine, "SELECT failing_since_us FROM webhook_endpoints") is None


def test_a_receiver_that_says_that_it_is_gone_is_disabled_at_once(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda _: 410
        world.add(engine, "ada", 5, key="one")
        look(engine, 1, to)
        assert (
            scalar(engine, "SELECT disabled_because FROM webhook_endpoints") == "It answered 410: it is gone for good."
        )


def test_what_is_removed_is_told_nothing_more(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        world.add(engine, "ada", 5, key="one")
        database.write(engine, lambda one: endpoints.remove(one, 1, now=NOW, actor=TESTER))
        assert look(engine, 1, to) == 0
        with pytest.raises(UnknownEndpoint):
            database.write(engine, lambda one: endpoints.remove(one, 1, now=NOW, actor=TESTER))


def test_an_endpoint_needs_a_kind_and_there_are_at_most_twenty(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="at least one kind"):
        hooks.add(engine, "https://hooks.example.com/", [])
    for _ in range(20):
        hooks.add(engine, "https://hooks.example.com/")
    with pytest.raises(TooManyEndpoints):
        hooks.add(engine, "https://hooks.example.com/")


def test_an_event_of_one_name_is_written_down_once_and_not_with_what_is_undone(engine: Engine) -> None:
    def tell(one: Connection) -> int | None:
        return telling.tell(one, EventKind.PAYOUT_PAID, "ben", {"payout_id": 7}, about="payout 7", now=NOW)

    def undone(one: Connection) -> None:
        tell(one)
        raise UnknownEndpoint(1)

    with pytest.raises(UnknownEndpoint):
        database.write(engine, undone)
    assert scalar(engine, "SELECT count(*) FROM webhook_events") == 0
    assert database.write(engine, tell) is not None
    assert database.write(engine, tell) is None


def test_a_test_event_is_sent_to_its_endpoint_alone(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, [EventKind.REFUND_MADE, EventKind.BALANCE_LOW])
        database.write(engine, lambda one: deliveries.send_test(one, 1, key="t", now=NOW, actor=TESTER))
        assert look(engine, 1, to) == 1
        assert (to.taken[0]["type"], to.taken[0]["data"]) == ("balance.low", {"is_test": True})


def test_a_test_event_that_fails_holds_no_plan_and_no_other_test(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, [EventKind.RUN_CHARGED, EventKind.PLAN_ACTIVATED])
        to.answers = lambda event: 500 if "is_test" in event["data"] else 200
        for key in ("a", "b"):
            database.write(engine, lambda one, key=key: deliveries.send_test(one, 1, key=key, now=NOW, actor=TESTER))  # type: ignore[misc]
        world.put_in_force(engine, replace(world.price_book().plan, id="plan-2"))
        look(engine, 1, to)
        assert [one["type"] for one in to.taken] == ["plan.activated"]
        assert states(engine) == [("", "waiting", 1), ("", "waiting", 1), ("", "delivered", 1)]


def test_a_dead_letter_that_is_sent_again_goes_after_what_is_tried_and_before_what_waits(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda event: 200 if event["data"]["entry_id"] == 2 else 500
        for number in range(4):
            world.add(engine, "ada", 5, key=f"one-{number}")
        for seconds in TRIED_AFTER_SECONDS:
            look(engine, 1, to, now=NOW + timedelta(seconds=seconds))
        assert states(engine) == [
            ("ada", "dead", 10),
            ("ada", "delivered", 1),
            ("ada", "waiting", 1),
            ("ada", "waiting", 0),
        ]
        at = NOW + 4 * DAY
        database.write(engine, lambda one: deliveries.send_again(one, 1, now=at, actor=TESTER))
        to.answers = lambda _: 200
        look(engine, 1, to, now=at)
        assert to.entries("ada") == [2, 3, 1, 4]


def test_a_low_balance_comes_after_its_run_and_may_come_after_later_events(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, [EventKind.RUN_CHARGED, EventKind.BALANCE_LOW, EventKind.PURCHASE_PAID])
        database.write(engine, lambda one: low_balance.set_level(one, "", 1_000, now=NOW, actor=TESTER))
        world.add(engine, "ada", 1_000, key="fund")
        world.charge(engine, world.run_by("ada"), key="run")
        world.add(engine, "ada", 1_000, key="more")
        webhook_jobs.look_at_balances(engine, now=NOW)
        look(engine, 1, to)
        kinds = [one["type"] for one in to.taken]
        assert kinds == ["purchase.paid", "run.charged", "purchase.paid", "balance.low"]
        assert to.taken[-1]["data"]["entry_id"] == to.taken[1]["data"]["entry_id"]


def test_an_endpoint_that_takes_nothing_gets_no_more_deliveries_than_it_can_have_and_loses_none(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credits_core.notices.collecting.MOST_WAITING", 3)
    monkeypatch.setattr("credits_core.notices.collecting.ENTRIES_PER_STEP", 2)
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda _: 500
        for number in range(9):
            world.add(engine, "ada", 5, key=f"one-{number}")
        look(engine, 1, to)
        assert len(states(engine)) == 4
        to.answers = lambda _: 200
        look(engine, 1, to, now=NOW + timedelta(seconds=5))
        assert to.entries("ada") == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_old_deliveries_are_deleted_and_those_that_wait_are_not(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda event: 200 if event["data"]["user_id"] == "ben" else 500
        for user in ("ada", "ben"):
            world.add(engine, user, 5, key=user)
        look(engine, 1, to)
        for days, deleted in ((30, 0), (31, 1)):
            at = NOW + timedelta(days=days)
            assert database.write(engine, lambda one, at=at: deliveries.delete_old(one, now=at)) == deleted  # type: ignore[misc]
        assert [one.state for one in hooks.stored(engine)] == [DeliveryState.WAITING]


def test_the_check_in_the_documentation_takes_what_is_ours_and_nothing_else() -> None:
    document = (settings.PROJECT_FOLDER / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    named: dict[str, Any] = {}
    exec(example, named)
    body = '{"type":"run.charged"}'
    headers = signing.headers("msg_1", body, [SECRET], now=datetime.now(UTC))
    old = signing.headers("msg_1", body, [SECRET], now=datetime.now(UTC) - timedelta(minutes=6))
    is_ours = named["is_ours"]
    assert is_ours(SECRET, body.encode(), headers)
    assert not is_ours(SECRET, b'{"type":"run.changed"}', headers)
    assert not is_ours(signing.new_secret(), body.encode(), headers)
    assert not is_ours(SECRET, body.encode(), headers | {"webhook-id": "msg_2"})
    assert not is_ours(SECRET, body.encode(), old)
