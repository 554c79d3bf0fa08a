"""What a model cost over time: the lists that were live one after the other, and the days within each of them."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Connection, Engine

from credits_core.prices import history, lists
from credits_core.prices.history import Period
from credits_core.pricing.models import RunPrice
from credits_core.store import database
from tests.support.actors import named
from tests.support.prices import by_usage, per_run_list

BY_USAGE = (
    '[[models]]\nid = "tiny"\nname = "Tiny"\nprovider = "us"\ntype = "text"\nprices = %s\nsource = "hand-written"\n'
    "checked_on = 2026-01-01\n"
)
OTHER = per_run_list(1, model_id="other")


def day(number: int, month: int = 3) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def live(engine: Engine, *tomls: str) -> None:
    """Make each of these lists live, one on each day of March 2026."""

    def action(connection: Connection) -> None:
        for number, toml in enumerate(tomls, 1):
            found = lists.save(connection, toml, source="a test", now=day(number), actor=named("ben"))
            lists.activate(connection, found, reason="A test", now=day(number), actor=named("ben"))

    database.write(engine, action)


def periods(engine: Engine, model_id: str = "tiny") -> list[Period]:
    with database.read(engine) as connection:
        return history.of_model(connection, model_id)


def test_each_live_list_with_other_prices_is_a_period(engine: Engine) -> None:
    live(engine, per_run_list(5), per_run_list(5) + OTHER, per_run_list(6), OTHER, per_run_list(6))
    assert periods(engine) == [
        Period(day(1), RunPrice(5)),
        Period(day(3), RunPrice(6)),
        Period(day(4), None),
        Period(day(5), RunPrice(6)),
    ]
    assert [period.prices for period in periods(engine, "no-such")] == [None]


def test_a_fixed_price_changes_in_steps_with_a_gap_while_it_is_not_offered(engine: Engine) -> None:
    live(engine, per_run_list(5), OTHER, per_run_list(6))
    assert history.steps(periods(engine), None) == [(day(1), Decimal(5)), (day(2), None), (day(3), Decimal(6))]
    assert history.steps(periods(engine), "input_tokens") == [(day(1), None)]


def test_days_within_a_list_count_while_that_list_is_live(engine: Engine) -> None:
    # From the 2nd of March it would cost 2; on the 3rd a list with 4 replaces it, which falls to 3 in April.
    live(
        engine,
        BY_USAGE % "[{input_tokens = 1}, {from = 2026-03-02, input_tokens = 2}, {from = 2026-03-09, input_tokens = 9}]",
        BY_USAGE % "[{input_tokens = 1}, {from = 2026-03-02, input_tokens = 2}, {from = 2026-03-09, input_tokens = 9}]",
        BY_USAGE % "[{input_tokens = 4}, {from = 2026-04-01, input_tokens = 3}]",
    )
    assert history.steps(periods(engine), "input_tokens") == [
        (day(1), Decimal(1)),
        (day(2), Decimal(2)),
        (day(3), Decimal(4)),
        (day(1, month=4), Decimal(3)),
    ]


def test_prices_at_hours_and_on_weekdays_are_left_out_also_of_a_unit_that_has_no_others(engine: Engine) -> None:
    live(
        engine,
        BY_USAGE % '[{input_tokens = 1}, {utc_hours = ["01:00", "04:00"], input_tokens = 2, output_tokens = 3}, '
        "{from = 2026-04-01, weekdays_only = true, input_tokens = 5}]",
    )
    assert history.steps(periods(engine), "input_tokens") == [(day(1), Decimal(1))]
    assert history.steps(periods(engine), "output_tokens") == [(day(1), None)]


def test_a_unit_may_come_and_go(engine: Engine) -> None:
    both = by_usage(input_tokens="1", web_searches="10")
    found = [Period(day(1), by_usage(input_tokens="1")), Period(day(2), both), Period(day(3), RunPrice(7))]
    assert history.steps(found, "web_searches") == [(day(1), None), (day(2), Decimal(10)), (day(3), None)]
    assert history.steps(found, None) == [(day(1), None), (day(3), Decimal(7))]
