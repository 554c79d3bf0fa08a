import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import page_driver, world
from tests.support.page_driver import charts, links, metrics, open_page, table
from tests.support.plain_sql import rows, scalar

SUM = "SELECT COALESCE(SUM(amount_credits), 0) FROM credit_transactions"
OF_DAYS = " AND date(created_at_us / 1000000, 'unixepoch') BETWEEN '2026-11-03' AND '2026-11-09'"
OF_DAYS_OF_ENTRIES = OF_DAYS.replace("created_at_us", "t.created_at_us")
SOME_DAYS = ["2026-11-03", "2026-11-09"]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("overview"), demo=True) as engine:
        yield engine


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


def shown(credits: object) -> str:
    return f"{credits:,}"


def test_the_metrics_are_what_users_hold_and_what_the_parties_received(ledger: Engine) -> None:
    found = {label: value for label, (value, _) in metrics(open_page("explore/overview.py")).items()}
    assert found == {
        "Credits in circulation": shown(scalar(ledger, "SELECT SUM(balance_credits) FROM user_credits")),
        "Platform revenue": shown(scalar(ledger, f"{SUM} WHERE account_id = 'platform:revenue'")),
        "Creator earnings": shown(scalar(ledger, f"{SUM} WHERE type = 'creator_payment'")),
        "Prompt runs": shown(scalar(ledger, "SELECT COUNT(*) FROM prompt_runs")),
    }


def test_days_narrow_what_was_received_and_carry_what_is_in_circulation_to_the_last_of_them(ledger: Engine) -> None:
    found = {label: value for label, (value, _) in metrics(open_page("explore/overview.py", days=SOME_DAYS)).items()}
    held_at_the_end = scalar(
        ledger,
        f"{SUM} WHERE account_id NOT LIKE 'platform:%' AND created_at_us < :end",
        end=1_794_268_800_000_000,  # 2026-11-10
    )
    assert found == {
        "Credits in circulation": shown(held_at_the_end),
        "Platform revenue": shown(scalar(ledger, f"{SUM} WHERE account_id = 'platform:revenue'{OF_DAYS}")),
        "Creator earnings": shown(scalar(ledger, f"{SUM} WHERE type = 'creator_payment'{OF_DAYS}")),
        "Prompt runs": shown(scalar(ledger, f"SELECT COUNT(*) FROM prompt_runs WHERE 1 = 1{OF_DAYS}")),
    }


def test_credits_have_their_dollars_under_them_and_a_line_over_the_days(ledger: Engine) -> None:
    page = open_page("explore/overview.py", days="2026-10-24")
    revenue_credits = scalar(
        ledger, f"{SUM} WHERE account_id = 'platform:revenue' AND created_at_us < 1792886400000000"
    )
    assert revenue_credits == 3_777_284
    assert metrics(page)["Platform revenue"] == ("3,777,284", "$3.78")
    assert [len(metric.proto.chart_data) for metric in open_page("explore/overview.py").metric] == [30, 30, 30, 30]


def test_the_flows_are_what_each_party_received_of_runs_and_unlocks(ledger: Engine) -> None:
    (sankey,) = charts(open_page("explore/overview.py"))[0]["data"]
    names = sankey["node"]["customdata"]
    link = sankey["link"]
    flows = {
        (names[source], names[target]): credits
        for source, target, credits in zip(link["source"], link["target"], link["value"], strict=True)
    }
    parties = {"inference_cost": "Inference", "creator_payment": "Creators", "platform_revenue": "Platform"}
    events = {"prompt_run": "Prompt runs", "flow_unlock": "Flow unlocks"}
    received = rows(
        ledger,
        "SELECT e.type, t.type, SUM(t.amount_credits) FROM credit_transactions t JOIN journal_entries e"
        " ON e.id = t.entry_id WHERE e.type IN ('prompt_run', 'flow_unlock') AND position > 0 GROUP BY e.type, t.type",
    )
    assert flows == {(events[str(event)], parties[str(type_)]): credits for event, type_, credits in received}
    assert len(flows) == 5


def test_each_days_bar_is_what_the_parties_received_that_day(ledger: Engine) -> None:
    bars = charts(open_page("explore/overview.py", days=SOME_DAYS))[1]["data"]
    conditions = {
        "Inference": "account_id = 'platform:inference'",
        "Creators": "type = 'creator_payment'",
        "Platform": "account_id = 'platform:revenue'",
        "Inference of refunded runs": "account_id = 'platform:refunded_inference'",
    }
    for bar in bars:
        of_days = rows(
            ledger,
            "SELECT date(created_at_us / 1000000, 'unixepoch') AS day,"
            f" SUM(CASE WHEN {conditions[bar['name']]} THEN amount_credits ELSE 0 END)"
            f" FROM credit_transactions WHERE 1 = 1{OF_DAYS} GROUP BY day ORDER BY day",
        )
        assert list(zip(bar["x"], bar["y"], strict=True)) == of_days
    assert [(bar["name"], bar["marker"]["color"]) for bar in bars] == [
        ("Inference", "#94A3B8"),
        ("Creators", "#10B981"),
        ("Platform", "#8B5CF6"),
        ("Inference of refunded runs", "#C4B5FD"),
    ]


def test_bars_after_refunds_add_up_to_what_users_paid_and_did_not_get_back(ledger: Engine) -> None:
    bars = charts(open_page("explore/overview.py", days=SOME_DAYS))[1]["data"]
    assert sum(sum(bar["y"]) for bar in bars) == scalar(
        ledger,
        "SELECT -SUM(t.amount_credits) FROM credit_transactions t JOIN journal_entries e ON e.id = t.entry_id"
        " LEFT JOIN journal_entries o ON o.id = e.refunds_entry_id"
        f" WHERE t.position = 0 AND COALESCE(o.type, e.type) IN ('prompt_run', 'flow_unlock'){OF_DAYS_OF_ENTRIES}",
    )


def test_who_bore_the_refunds_is_told_with_the_rule(empty: Engine) -> None:
    world.add(empty, "ada", 20_000, key="add")
    runs = [world.charge(empty, world.HAIKU_WITH_FEE, key=f"run-{number}").entry_id for number in range(3)]
    world.refund(empty, runs[0], key="borne")
    world.refund(empty, runs[1], provider_refunded=True, key="by-provider")
    told = [caption.value.replace("\\", "") for caption in open_page("explore/overview.py", period="all").main.caption]
    assert told[-5:-1] == [
        "Amounts before refunds. Refunded on these days: 2,502 credits ($0.002502).",
        "Creators gave back 1,600 credits ($0.0016), PromptFlow bore 652 credits ($0.000652).",
        "PromptFlow's part includes inference costs of 250 credits ($0.00025).",
        "Providers gave back 250 credits ($0.00025).",
    ]
    world.refund(empty, runs[2], provider_refunded=True, key="earlier")
    with empty.begin() as connection:  # as the migration marks a refund of an earlier version
        connection.exec_driver_sql("DROP TRIGGER refunds_no_update")
        connection.exec_driver_sql(
            "UPDATE refunds SET rule = 'cost_booked_back', provider_refunded = FALSE"
            " WHERE entry_id = (SELECT MAX(entry_id) FROM refunds)"
        )
    told = [caption.value.replace("\\", "") for caption in open_page("explore/overview.py", period="all").main.caption]
    assert told[-2] == "Earlier rule: inference costs of 250 credits ($0.00025) were booked back."


def test_days_far_apart_stand_side_by_side(empty: Engine) -> None:
    with empty.begin() as connection:
        for entry, day in ((1, 19_677), (2, 20_760)):  # 2023-11-16 and 2026-11-03
            connection.exec_driver_sql(
                "INSERT INTO journal_entries (id, type, idempotency_key, request_hash, actor, created_at_us)"
                f" VALUES ({entry}, 'grant', 'key-{entry}', 'hash', 'tester', {day * 86_400_000_000})"
            )
            for position, (account, amount, after) in enumerate(
                (("ada", 5, 5 * entry), ("platform:grants", -5, "NULL"))
            ):
                connection.exec_driver_sql(
                    "INSERT INTO credit_transactions VALUES"
                    f" ({entry}, {position}, '{account}', 'grant', {amount}, {after}, {day * 86_400_000_000})"
                )
    (figure,) = charts(open_page("explore/overview.py", period="all"))
    assert figure["layout"]["xaxis"]["type"] == "category"
    assert figure["data"][0]["x"] == ["2023-11-16", "2026-11-03"]


def test_the_latest_activity_is_the_newest_entries_by_who_paid_or_received(ledger: Engine) -> None:
    newest = rows(
        ledger,
        "SELECT entry_id, account_id, amount_credits FROM credit_transactions WHERE position = 0"
        " ORDER BY entry_id DESC LIMIT 8",
    )
    page = open_page("explore/overview.py")
    assert [(int(row["Entry"]), row["User"], row["Credits"]) for row in table(page)] == newest
    assert links(page)["History of these days"] == ("history", "period=30d&anew=")
    assert links(open_page("explore/overview.py", period="all"))["All history"] == ("history", "period=all&anew=")


def test_days_without_entries_say_which_days_have_some(ledger: Engine) -> None:
    page = open_page("explore/overview.py", days=["2020-01-01", "2020-01-02"])
    assert "2026-10-24 to 2026-11-22" in page.info[0].value
    assert metrics(page)["Platform revenue"] == ("0", "$0.00")
    assert charts(page) == []


def test_an_empty_ledger_says_what_to_do_next(empty: Engine) -> None:
    page = open_page("explore/overview.py")
    assert [info.title for info in page.info] == ["Nothing has happened yet"]
    assert links(page) == {"Add credits": ("add-credits", "")}
    assert (metrics(page), charts(page)) == ({}, [])


@pytest.mark.parametrize(
    "days", [["soon"], ["2026-99-99", "2026-11-09"], ["0001-01-01", "9999-12-31"], [""], ["1e999"]]
)
def test_days_that_make_no_sense_are_no_filter(ledger: Engine, days: list[str]) -> None:
    assert metrics(open_page("explore/overview.py", days=days)) == metrics(open_page("explore/overview.py"))


# --- the sentence ---------------------------------------------------------------------------------------------------


def spent_on(ledger: Engine, first: str, last: str) -> tuple[int, int, int]:
    """What models, creators and the platform have of what users spent on these days, by plain SQL."""
    of_days = f" AND date(created_at_us / 1000000, 'unixepoch') BETWEEN '{first}' AND '{last}'"
    creators = scalar(ledger, f"{SUM} WHERE type = 'creator_payment' AND account_id NOT LIKE 'platform:%'{of_days}")
    models = scalar(ledger, f"{SUM} WHERE account_id = 'platform:inference'{of_days}")
    platform = scalar(ledger, f"{SUM} WHERE account_id IN ('platform:revenue', 'platform:refunded_inference'){of_days}")
    assert isinstance(models, int)
    assert isinstance(creators, int)
    assert isinstance(platform, int)
    return models, creators, platform


def test_the_first_line_says_what_users_spent_who_has_it_and_how_it_changed(ledger: Engine) -> None:
    models, creators, platform = spent_on(ledger, "2026-11-16", "2026-11-22")
    spent, before = models + creators + platform, sum(spent_on(ledger, "2026-11-09", "2026-11-15"))
    # What users paid for runs and unlocks, and what came back to them, is the other side of the same entries.
    paid = scalar(
        ledger,
        f"{SUM} WHERE (type IN ('prompt_run', 'flow_unlock') OR type = 'refund' AND entry_id IN (SELECT r.id FROM"
        " journal_entries AS r JOIN journal_entries AS e ON e.id = r.refunds_entry_id WHERE e.type IN ('prompt_run',"
        " 'flow_unlock')) AND account_id NOT LIKE 'platform:%')"
        " AND date(created_at_us / 1000000, 'unixepoch') BETWEEN '2026-11-16' AND '2026-11-22'",
    )
    assert paid == -spent
    change = round(100 * (spent - before) / before)
    assert change > 0
    page = open_page("explore/overview.py", days=["2026-11-16", "2026-11-22"])
    said = page.header[0].value.replace("\\$", "$")
    assert said.endswith(f" to us. That is {change} % more than the 7 days before.")
    dollars = [float(one.replace(",", "")) for one in re.findall(r"\$([0-9,]+\.[0-9]{2})(?![0-9])", said)]
    assert said.startswith("Users spent $")
    # Whole cents that add up, so each is less than a cent beside what the rows say.
    assert dollars == pytest.approx([spent / 1e6, models / 1e6, creators / 1e6, platform / 1e6], abs=0.01)
    assert min(dollars) > 1
    assert metrics(page)["Platform revenue"][1] != "", "how it changed stands below"
    models, creators, platform = spent_on(ledger, "2026-11-09", "2026-11-09")
    spent, before = models + creators + platform, sum(spent_on(ledger, "2026-11-08", "2026-11-08"))
    change = round(100 * abs(spent - before) / before)
    says = open_page("explore/overview.py", days=["2026-11-09", "2026-11-09"]).header[0].value
    assert says.endswith(f" to us. That is {change} % {'more' if spent > before else 'less'} than the day before.")


def test_the_dollars_of_the_sentence_add_up(ledger: Engine) -> None:
    cents = [0, 0, 0, 0]
    for day in range(8, 23):
        page = open_page("explore/overview.py", days=f"2026-11-{day:02}")
        said = page.header[0].value.replace("\\$", "$")
        assert said.startswith("Users spent $")
        found = [int(whole + part) for whole, part in re.findall(r"\$([0-9]+)\.([0-9]{2})(?![0-9])", said)]
        assert len(found) == 4, said
        assert found[0] == sum(found[1:])
        cents = [one + other for one, other in zip(cents, found, strict=True)]
    assert cents[0] > 10_000


def test_when_more_was_given_back_than_spent_the_sentence_says_so(tmp_path: Path) -> None:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        world.add(engine, "ada", 10_000, key="add", now=datetime(2026, 3, 1, tzinfo=UTC))
        run = world.charge(engine, world.HAIKU, key="run", now=datetime(2026, 3, 1, tzinfo=UTC))
        world.refund(engine, run.entry_id, key="refund", now=datetime(2026, 3, 2, tzinfo=UTC))
        page = open_page("explore/overview.py", days="2026-03-02")
        assert page.header[0].value == r"Users got back \$0.0003 more than they spent."


def test_nothing_is_compared_with_days_that_the_ledger_does_not_know(ledger: Engine) -> None:
    page = open_page("explore/overview.py")
    # The four figures alone, and nothing after the last of them.
    assert re.fullmatch(r"Users spent \S+: \S+ for models, \S+ to creators, \S+ to us\.", page.header[0].value)


def test_where_nothing_was_spent_there_is_no_sentence(ledger: Engine) -> None:
    page = open_page("explore/overview.py", days=["2026-01-01", "2026-01-02"])
    assert [one.value for one in page.header if one.value.startswith("Users spent")] == []
