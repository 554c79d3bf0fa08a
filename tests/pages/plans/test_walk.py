"""What the guide and `docs/measured.md` quote is on the screens, and is what plain arithmetic says."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core import settings
from credits_core.bulk.replay import plan_replay, replay
from credits_core.lab.scenario.assumptions import load_scenarios, with_runs
from credits_core.lab.scenario.workload import load_workloads
from credits_core.pricing.plan import TierMode
from tests.support import page_driver, world
from tests.support.actors import TESTER
from tests.support.page_driver import metrics, open_page, run, table
from tests.support.plain_sql import rows
from tests.support.plans import SPECIFICATION
from tests.support.real_traces import TRACES, needs_traces
from tests.support.scenarios import plain_simulation
from tests.support.slow_replay import SlowReplay

DOCS = Path(__file__).resolve().parent.parent.parent.parent / "docs"
QUOTING = [*(DOCS / "guide").glob("*.md"), DOCS / "measured.md"]
QUOTED = [
    quote for path in QUOTING for quote in re.findall(r"^> (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
]
CAPPED = replace(SPECIFICATION, id="promptflow-v1-capped", cap_down=True)
GRADUATED = replace(SPECIFICATION, id="promptflow-v1-graduated", tier_mode=TierMode.GRADUATED)
MILLION = {"scenario_runs": "1000000", "plan": "promptflow-v1-capped"}
RUNS, RUNS_IN_FULL = 20_000, 1_000_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demo month, after both cures of the cliffs were made drafts by a click."""
    with page_driver.dashboard(tmp_path_factory.mktemp("walk"), demo=True) as engine:
        for name in ("capped", "graduated"):
            page = open_page("plans/pricing_lab.py")
            page.get_by_key(f"cure:promptflow-v1-{name}:button").click()
            run(run(page))
        yield engine


def words(page: AppTest) -> str:
    """Everything that a person reads on the page, without what Markdown needs."""
    blocks = [*page.header, *page.markdown, *page.caption, *page.success, *page.info, *page.warning]
    shown = [block.value for block in blocks] + [f"{label} {value}" for label, (value, _) in metrics(page).items()]
    return "\n".join(shown).replace("\\", "")


def quoted_on(page: AppTest) -> set[str]:
    read = words(page)
    return {quote for quote in QUOTED if quote in read}


@needs_traces
def test_every_quotation_is_on_a_screen(demo: Engine, tmp_path: Path) -> None:
    pages = [
        open_page("plans/pricing_lab.py"),
        open_page("replay/replay_history.py", plan="promptflow-v1-capped", show="Changes of a run"),
        open_page("replay/replay_history.py", plan="promptflow-v1-graduated"),
        open_page("replay/replay_history.py"),
        open_page("scenario/scenario.py", **MILLION),
        open_page("fees/fee_designer.py"),
    ]
    found = set().union(*map(quoted_on, pages))
    assert all(quoted_on(page) for page in pages)
    # The cures are offered as long as they are no drafts; and the hour of conversations is a ledger of its own.
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        found |= quoted_on(open_page("plans/pricing_lab.py"))
        world.save_draft(engine, CAPPED)
        charge_the_conversations(engine)
        replayed = open_page("replay/replay_history.py", plan="promptflow-v1-capped", show="Changes of a run")
        found |= quoted_on(replayed)
    assert set(QUOTED) - found == set()
    assert len(QUOTED) >= 20


def charge_the_conversations(engine: Engine) -> None:
    world.add(engine, "trace", 200_000_000, key="fund")
    book, path = settings.load_price_book(), TRACES["conversation"]
    plan = plan_replay(engine, path, user_id="trace", model_id="openai/gpt-4o", book=book, now=world.NOW)
    replay(engine, plan, book_at=lambda _: book, clock=lambda: world.NOW, actor=TESTER)


@needs_traces
def test_the_cure_takes_from_the_conversations_what_plain_arithmetic_says() -> None:
    lines = TRACES["conversation"].read_text(encoding="utf-8").splitlines()[1:]
    # openai/gpt-4o: 2.5 credits for an input token and 10 for an output token, rounded up.
    costs = [-(-(25 * int(row.split(",")[1]) + 100 * int(row.split(",")[2])) // 10) for row in lines]
    over = [cost + cost * 20 // 100 - 11_000 for cost in costs if 9_168 <= cost <= 9_999]
    assert max(costs) < 91_365  # so the second cliff is out of reach
    assert (len(over), sum(over), max(over)) == (112, 46_291, 928)
    assert sum(cost + (cost * 20 // 100 if cost < 10_000 else cost * 10 // 100) for cost in costs) == 114_213_161


def test_the_cap_takes_from_the_demo_month_what_its_runs_on_the_cliffs_paid_above_the_next_dearer_run(
    demo: Engine,
) -> None:
    # 20 % of a cost below 10,000, at most 11,000 in all; 10 % of one below 100,000, at most 100,500 in all.
    runs, cheaper, most, beyond = rows(
        demo,
        "SELECT COUNT(*), SUM(refund.id IS NULL), MAX(over), SUM(CASE WHEN refund.id IS NULL THEN over END) FROM"
        " (SELECT entry_id, CASE WHEN c < 10000 THEN c + c * 20 / 100 - 11000 ELSE c + c * 10 / 100 - 100500 END"
        " AS over FROM (SELECT entry_id, inference_cost_credits AS c FROM prompt_runs WHERE creator_fee_credits = 0)"
        " WHERE c BETWEEN 9168 AND 9999 OR c BETWEEN 91365 AND 99999)"
        " LEFT JOIN journal_entries AS refund ON refund.refunds_entry_id = entry_id",
    )[0]
    assert (runs, cheaper, most, beyond) == (908, 905, 9_310, 3_195_812)


def test_graduated_tiers_make_of_the_demo_month_what_a_plain_loop_gives(demo: Engine) -> None:
    recorded, creators, largest = rows(
        demo,
        "SELECT (SELECT SUM(amount_credits) FROM credit_transactions WHERE type IN ('inference_cost',"
        " 'creator_payment', 'platform_revenue') OR account_id = 'platform:refunded_inference'),"
        " (SELECT SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'),"
        " MAX(inference_cost_credits) FROM prompt_runs",
    )[0]
    assert isinstance(recorded, int)
    assert isinstance(creators, int)
    assert isinstance(largest, int)
    slow = SlowReplay(demo, GRADUATED, ("2026-01-01", "2027-01-01"), largest_cost=largest)
    assert (slow.sums["users"] - recorded, slow.sums["creators"] - creators) == (2_418_599, -31_600)
    # The runs that are refused had an inference cost of 170,584.
    assert sum(slow.sums[name] for name in ("inference", "creators", "platform")) == slow.sums["users"]
    assert slow.sums["platform"] == 246_002_443 + 2_418_599 + 31_600 + 170_584
    assert (len(slow.refused), sum(change > 0 for change in slow.changes)) == (7, 856)


def test_the_runs_of_a_scenario_come_to_what_a_plain_program_says(demo: Engine, full: bool) -> None:
    runs = RUNS_IN_FULL if full else RUNS
    scenarios = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))
    plain = plain_simulation(with_runs(scenarios["conversation"], runs), CAPPED, settings.load_models())
    summed = {name: sum(day[name] for day in plain["days"]) for name in ("charged", "paid", "inference", "creators")}
    page = open_page("scenario/scenario.py", **MILLION | {"scenario_runs": f"{runs}"})
    shown = {label: value for label, (value, _) in metrics(page).items()}
    assert shown["Users paid"] == f"{summed['paid']:,}"
    assert shown["Inference"] == f"{summed['inference']:,}"
    assert shown["Creators earned"] == f"{summed['creators']:,}"
    assert shown["Platform kept"] == f"{summed['paid'] - summed['inference'] - summed['creators']:,}"
    assert shown["Refused runs"] == f"{runs - summed['charged']:,}"


def test_the_comparison_of_the_walk_shows_typical_runs_as_worked_by_hand(demo: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="promptflow-v1", b="promptflow-v1-graduated")
    differing = {
        row["Model"]: (row["Plan A"], row["Plan B"], row["User gains"]) for row in table(page, -1) if row["User gains"]
    }
    # Runs of 10,000 and more: 10 % of the cost, and under B 10 % of 10,000 more.
    assert differing["gpt-4"] == (33_000, 34_000, -1_000)
    assert differing["dall-e-3"] == (22_000, 23_000, -1_000)
    assert "claude-3-haiku" not in differing
