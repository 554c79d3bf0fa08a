"""The invariants of the price lists, each with damage done behind the ledger's back that it alone reports."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from credits_core.audit import invariants
from credits_core.audit.finding import BEGINNING
from credits_core.ledger.requests import ChargeRequest
from credits_core.prices import lists
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.values.seal import seal
from tests.support import damage, world
from tests.support.actors import TESTER
from tests.support.damage import MUCH_LATER, Ledger
from tests.support.plain_sql import rows

# The prices of tests/support/world.py, and dearer ones.
MODELS = """
[[models]]
id = "claude-3-haiku"
name = "Claude 3 Haiku"
provider = "anthropic"
type = "text"
run_price_credits = {haiku_credits}
source = "specification"
checked_on = 2026-01-01

[[models]]
id = "openai/gpt-4o"
name = "GPT-4o"
provider = "openai"
type = "text"
prices = [{{input_tokens = {input_usd}, output_tokens = 10, cache_read_tokens = 1.25}}]
service_tiers = {{batch = [{{input_tokens = 1, output_tokens = 5}}]}}
source = "hand-written"
checked_on = 2026-01-01
"""
FIRST = MODELS.format(haiku_credits=250, input_usd="2.5")
SECOND = MODELS.format(haiku_credits=400, input_usd="5")
CACHED = ChargeRequest(
    "ada",
    "long",
    "openai/gpt-4o",
    usage=(("input_tokens", 2_006), ("output_tokens", 300), ("cache_read_tokens", 1_920)),
)
"""86 × 2.5 + 300 × 10 + 1,920 × 1.25 = 5,615 inference + 20 % markup of 1,123 = 6,738 credits."""
BATCH = ChargeRequest(
    "ada", "long", "openai/gpt-4o", usage=(("input_tokens", 1_000), ("output_tokens", 100)), service_tier="batch"
)
"""1,000 × 1 + 100 × 5 = 1,500 inference + 20 % markup of 300 = 1,800 credits."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """Four days without a list, then runs priced by list 1, list 2 and list 1 again; list 3 was never live."""
    with damage.four_days(request, tmp_path_factory.mktemp("prices"), book, is_priced_by_list=False) as ledger:
        by_list = {}
        for number, toml in ((1, FIRST), (2, SECOND)):
            database.write(
                ledger.engine,
                lambda connection, toml=toml: lists.save(  # type: ignore[misc]
                    connection, toml, source="a test", now=MUCH_LATER, actor=TESTER
                ),
            )
            by_list[number] = PriceBook(parse_model_registry(toml), book.plan, book.plans, number)
        database.write(
            ledger.engine,
            lambda connection: lists.save(connection, FIRST, source="a draft", now=MUCH_LATER, actor=TESTER),
        )
        for step, (number, runs) in enumerate(
            [
                (1, {"fixed run": world.HAIKU, "cached run": CACHED, "batch run": BATCH}),
                (2, {"dear run": world.HAIKU, "dear token run": world.TOKENS}),
                (1, {"last run": damage.TOKENS}),
            ]
        ):
            now = MUCH_LATER + timedelta(minutes=step + 1)
            database.write(
                ledger.engine,
                lambda connection, number=number, now=now: lists.activate(  # type: ignore[misc]
                    connection, number, reason="A test needs it", now=now, actor=TESTER
                ),
            )
            for name, run in runs.items():
                key = name.replace(" ", "-")
                ledger.ids[name] = world.charge(ledger.engine, run, key=key, book=by_list[number], now=now).entry_id
        yield ledger


def test_a_ledger_with_price_lists_is_clean(ledger: Ledger) -> None:
    assert ledger.after() == {}
    checked = {one.invariant: one.checked for one in invariants.check(ledger.engine, ledger.book.plans) if one.ok}
    assert checked["every live price list is as it was made live"] == 3
    assert checked["every run has the price of its list"] == 6
    assert rows(
        ledger.engine,
        "SELECT price_list_id, inference_cost_credits, total_credits FROM prompt_runs WHERE price_list_id IS NOT NULL"
        " ORDER BY entry_id",
    ) == [
        (1, 250, 300),
        (1, 5_615, 6_738),
        (1, 1_500, 1_800),
        (2, 400, 480),
        (2, 6_395, 7_674),  # 1,021 × 5 + 129 × 10
        (1, 3_840, 4_608),
    ]


JOURNAL, LIST = "price_lists_are_sealed", "runs_have_the_price_of_their_list"
_ACTIVATION = "UPDATE price_list_activations SET {} WHERE id = {}"

NEVER_LIVE = [
    "run <dear run> names price list 2, which was not live then",
    "run <dear token run> names price list 2, which was not live then",
]

# What was done, the sentence about each thing that is wrong now, by the only invariants that report it.
DAMAGE: dict[str, tuple[list[str], dict[str, list[str]]]] = {
    "a comment is added to a list that was live twice": (
        ["UPDATE price_lists SET toml = toml || '# so be it' WHERE id = 1"],
        {
            JOURNAL: [
                "activation 1, of price list 1, or its list was changed since",
                "activation 3, of price list 1, or its list was changed since",
            ]
        },
    ),
    "the source of a live list is changed": (
        ["UPDATE price_lists SET source = 'elsewhere' WHERE id = 2"],
        {JOURNAL: ["activation 2, of price list 2, or its list was changed since"]},
    ),
    "somebody else is said to have saved a live list": (
        ["UPDATE price_lists SET actor = 'mallory' WHERE id = 2"],
        {JOURNAL: ["activation 2, of price list 2, or its list was changed since"]},
    ),
    "a live list is said to be older": (
        ["UPDATE price_lists SET saved_at_us = saved_at_us - 1 WHERE id = 2"],
        {JOURNAL: ["activation 2, of price list 2, or its list was changed since"]},
    ),
    "a price of a live list is changed": (
        ["UPDATE price_lists SET toml = replace(toml, '= 400', '= 401') WHERE id = 2"],
        {
            JOURNAL: ["activation 2, of price list 2, or its list was changed since"],
            LIST: ["run <dear run> has another price than price list 2"],
        },
    ),
    "a live list is no longer TOML": (
        ["UPDATE price_lists SET toml = '[[models' WHERE id = 2"],
        {
            JOURNAL: ["activation 2, of price list 2, or its list was changed since"],
            LIST: [
                "run <dear run> has another price than price list 2",
                "run <dear token run> has another price than price list 2",
            ],
        },
    ),
    "a model is taken out of a live list": (
        ["UPDATE price_lists SET toml = replace(toml, 'claude-3-haiku', 'claude-3-gone') WHERE id = 2"],
        {
            JOURNAL: ["activation 2, of price list 2, or its list was changed since"],
            LIST: ["run <dear run> cannot be priced by price list 2"],
        },
    ),
    "a service tier is taken out of a live list": (
        ["UPDATE price_lists SET toml = replace(toml, '{batch =', '{flex =') WHERE id = 1"],
        {
            JOURNAL: [
                "activation 1, of price list 1, or its list was changed since",
                "activation 3, of price list 1, or its list was changed since",
            ],
            LIST: ["run <batch run> cannot be priced by price list 1"],
        },
    ),
    "the reason of an activation is changed": (
        [_ACTIVATION.format("reason = 'Another'", 3)],
        {JOURNAL: ["activation 3, of price list 1, or its list was changed since"]},
    ),
    "an activation is said to be of another list": (
        [_ACTIVATION.format("price_list_id = 3", 3)],
        {
            JOURNAL: [
                "activation 3, of price list 3, or its list was changed since",
                "the last activation of price list 1 is 3, but the journal has 1",
                "the last activation of price list 3 is none, but the journal has 3",
            ]
        },
    ),
    "an activation is said to be earlier": (
        [_ACTIVATION.format("activated_at_us = activated_at_us - 1", 1)],
        {JOURNAL: ["activation 1, of price list 1, or its list was changed since"]},
    ),
    "a seal is changed, and with it the next one no longer fits": (
        [_ACTIVATION.format("seal = 'x'", 1)],
        {
            JOURNAL: [
                "activation 1, of price list 1, or its list was changed since",
                "activation 2, of price list 2, or its list was changed since",
            ]
        },
    ),
    "the first activation is removed": (
        ["DELETE FROM price_list_activations WHERE id = 1"],
        {JOURNAL: ["activation 1 is missing before activation 2"]},
    ),
    "an activation in the middle is removed": (
        ["DELETE FROM price_list_activations WHERE id = 2"],
        {
            JOURNAL: [
                "activation 2 is missing before activation 3",
                "the last activation of price list 2 is 2, but the journal has none",
            ],
            LIST: NEVER_LIVE,
        },
    ),
    "an activation in the middle is removed and the later one renumbered": (
        ["DELETE FROM price_list_activations WHERE id = 2", _ACTIVATION.format("id = 2", 3)],
        {
            JOURNAL: [
                "activation 2, of price list 1, or its list was changed since",
                "the last activation of price list 1 is 3, but the journal has 2",
                "the last activation of price list 2 is 2, but the journal has none",
            ],
            LIST: NEVER_LIVE,
        },
    ),
    "the newest activation is removed": (  # no run shows it: list 1 was live before
        ["DELETE FROM price_list_activations WHERE id = 3"],
        {JOURNAL: ["the last activation of price list 1 is 3, but the journal has 1"]},
    ),
    "a list is said never to have been live": (
        ["UPDATE price_lists SET last_activation_id = NULL WHERE id = 2"],
        {JOURNAL: ["the last activation of price list 2 is none, but the journal has 2"]},
    ),
    "a list that was never live is said to have been": (
        ["UPDATE price_lists SET last_activation_id = 4 WHERE id = 3"],
        {JOURNAL: ["the last activation of price list 3 is 4, but the journal has none"]},
    ),
    "a list that was live is removed": (
        ["DELETE FROM price_lists WHERE id = 2"],
        {
            JOURNAL: ["activation 2, of price list 2, or its list was changed since"],
            LIST: [
                "run <dear run> has another price than price list 2",
                "run <dear token run> has another price than price list 2",
            ],
            "references_exist": [],
        },
    ),
    "a run names another list": (
        ["UPDATE prompt_runs SET price_list_id = 2 WHERE entry_id = <fixed run>"],
        {LIST: ["run <fixed run> has another price than price list 2"]},
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("is_since_last", [False, True], ids=["everything", "since the last clean audit"])
def test_damage_is_reported_by_these_invariants_alone(ledger: Ledger, name: str, *, is_since_last: bool) -> None:
    statements, expected = DAMAGE[name]
    found = ledger.after(*statements, since=ledger.since if is_since_last else BEGINNING)
    assert found.keys() == expected.keys()
    for invariant, sentences in expected.items():
        if sentences:
            assert list(found[invariant].violations) == [ledger.sql(sentence) for sentence in sentences]


def test_only_its_list_tells_that_a_run_was_charged_at_a_price_of_its_own(ledger: Ledger) -> None:
    """The run's unit prices, its costs and what was moved are changed together, so that they agree with each other.

    At 1 dollar for a million cached tokens: 86 × 2.5 + 300 × 10 + 1,920 × 1 = 5,135 inference, and 1,027 markup of
    20 %: 6,162 credits instead of 6,738.
    """
    found = ledger.after(
        "UPDATE prompt_runs SET unit_prices = replace(unit_prices, '\"1.25\"', '\"1\"'), inference_cost_credits = 5135,"
        " platform_markup_credits = 1027, total_credits = 6162 WHERE entry_id = <cached run>",
        "UPDATE credit_transactions SET amount_credits = -6162 WHERE entry_id = <cached run> AND account_id = 'ada'",
        "UPDATE credit_transactions SET amount_credits = 5135 WHERE entry_id = <cached run>"
        " AND account_id = 'platform:inference'",
        "UPDATE credit_transactions SET amount_credits = 1027 WHERE entry_id = <cached run>"
        " AND account_id = 'platform:revenue'",
        "UPDATE credit_transactions SET balance_after_credits = balance_after_credits + 576"
        " WHERE account_id = 'ada' AND entry_id >= <cached run>",
        "UPDATE user_credits SET balance_credits = balance_credits + 576 WHERE user_id = 'ada'",
    )
    assert {name: finding.violations for name, finding in found.items()} == {
        LIST: (ledger.sql("run <cached run> has another price than price list 1"),)
    }


@pytest.mark.parametrize(
    ("minutes_earlier", "is_found"),
    [(5, False), (6, True)],  # a clock may be five minutes wrong
)
def test_a_run_of_a_list_that_was_live_only_at_another_time_is_found(
    ledger: Ledger, minutes_earlier: int, *, is_found: bool
) -> None:
    earlier_us = minutes_earlier * 60 * 1_000_000
    found = ledger.after(
        f"UPDATE prompt_runs SET created_at_us = created_at_us - {earlier_us} WHERE entry_id = <dear run>"
    )
    expected = (ledger.sql("run <dear run> names price list 2, which was not live then"),)
    assert found[LIST].violations == expected if is_found else LIST not in found


def test_a_run_may_have_the_list_of_its_time_of_use(ledger: Ledger) -> None:
    a_day_us = 24 * 60 * 60 * 1_000_000
    later = f"UPDATE prompt_runs SET created_at_us = created_at_us + {a_day_us}"
    assert LIST not in ledger.after(f"{later}, used_at_us = created_at_us WHERE entry_id = <dear run>")
    assert LIST in ledger.after(f"{later} WHERE entry_id = <dear run>")


def test_the_newest_line_of_the_journal_counts_even_where_a_wrong_clock_has_dated_it_before_an_older_one(
    ledger: Ledger,
) -> None:
    a_day_us = 24 * 60 * 60 * 1_000_000
    found = ledger.after(
        f"UPDATE price_list_activations SET activated_at_us = activated_at_us - {a_day_us} WHERE id = 3",
        f"UPDATE prompt_runs SET created_at_us = created_at_us + {a_day_us} WHERE entry_id = <dear run>",
    )
    assert found[LIST].violations == (ledger.sql("run <dear run> names price list 2, which was not live then"),)


def test_the_place_of_an_activation_that_is_missing_at_the_end_stays_empty(ledger: Ledger) -> None:
    with ledger.unguarded() as connection:
        connection.execute(text("DELETE FROM price_list_activations WHERE id = 3"))
        lists.activate(connection, 1, reason="Nobody saw that it was live", now=MUCH_LATER, actor=TESTER)
        found = dict(ledger.findings(connection))
    assert {name: finding.violations for name, finding in found.items()} == {
        JOURNAL: ("activation 3 is missing before activation 4",)
    }


def test_an_activation_that_somebody_added_with_a_right_seal_is_found(ledger: Ledger) -> None:
    with ledger.unguarded() as connection:
        ((before,),) = connection.execute(text("SELECT seal FROM price_list_activations WHERE id = 3"))
        (kept,) = connection.execute(text("SELECT toml, source, actor, saved_at_us FROM price_lists WHERE id = 3"))
        sealed = seal((4, 3, "Cheaper", "tester", 0), tuple(kept), before)
        connection.execute(
            text("INSERT INTO price_list_activations VALUES (4, 3, 'Cheaper', 'tester', 0, :seal)"), {"seal": sealed}
        )
        found = dict(ledger.findings(connection))
    assert {name: finding.violations for name, finding in found.items()} == {
        JOURNAL: ("the last activation of price list 3 is none, but the journal has 4",)
    }


def test_a_guard_of_the_lists_that_is_missing_is_reported(ledger: Ledger) -> None:
    is_sqlite = ledger.engine.dialect.name == "sqlite"
    trigger = "price_lists_no_update" if is_sqlite else "price_lists_no_change"
    with ledger.unguarded() as connection:
        if is_sqlite:
            connection.info["triggers"] = [sql for sql in connection.info["triggers"] if f" {trigger} " not in sql]
        else:
            connection.execute(text(f"DROP TRIGGER {trigger} ON price_lists"))
        found = dict(ledger.findings(connection))
    assert found.keys() == {"ledger_is_append_only"}
    assert found["ledger_is_append_only"].violations == (f"the trigger {trigger} is missing",)


def test_the_seal_of_a_record_is_over_its_list_and_the_seal_before_it(ledger: Ledger) -> None:
    ((number, price_list, reason, actor, at_us, sealed, before),) = rows(
        ledger.engine,
        "SELECT a.id, a.price_list_id, a.reason, a.actor, a.activated_at_us, a.seal, b.seal"
        " FROM price_list_activations a JOIN price_list_activations b ON b.id = a.id - 1 WHERE a.id = 2",
    )
    ((saved_at_us,),) = rows(ledger.engine, "SELECT saved_at_us FROM price_lists WHERE id = 2")
    record = (number, price_list, reason, actor, at_us)
    assert sealed == seal(record, (SECOND, "a test", "tester", saved_at_us), before)  # type: ignore[arg-type]
