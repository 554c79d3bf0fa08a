"""The small world of the ledger's tests: a hand-written price book, and each action in a unit of work of its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine

from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt, Unlock
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.prices import lists
from credits_core.pricing.models import Model, ModelRegistry
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_toml import parse_price_plan
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support.actors import TESTER

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = 1_772_366_400_000_000
LATER = NOW + timedelta(hours=1)
LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1

_PLAN = """
id = "{id}"
creator_share_bps = {share_bps}
tiers = [
    {{below_credits = 10000, markup_bps = {first_bps}}},
    {{below_credits = 100000, markup_bps = 1000}},
    {{markup_credits = 500}},
]
"""
_MODELS = """
[[models]]
id = "claude-3-haiku"
name = "Claude 3 Haiku"
provider = "anthropic"
type = "text"
run_price_credits = {haiku_credits}
source = "specification"
checked_on = 2026-01-01

[[models]]
id = "gpt-4"
name = "GPT-4"
provider = "openai"
type = "text"
run_price_credits = 30000
source = "specification"
checked_on = 2026-01-01

[[models]]
id = "openai/gpt-4o"
name = "GPT-4o"
provider = "openai"
type = "text"
prices = [{{input_tokens = {input_usd}, output_tokens = 10}}]
source = "hand-written"
checked_on = 2026-01-01
"""

# What a larger list of models knows by another name, with a service tier.
_RESEARCHER = """
[[models]]
id = "openai/gpt-5"
name = "GPT-5"
provider = "openai"
type = "text"
genai_prices_id = "openai/gpt-5"
prices = [{input_tokens = 1.25, output_tokens = 10, cache_read_tokens = 0.125, web_searches = 10}]
service_tiers = {flex = [{input_tokens = 0.625, output_tokens = 5, cache_read_tokens = 0.0625}]}
source = "hand-written"
checked_on = 2026-01-01
"""

HAIKU = ChargeRequest("ada", "summarise", "claude-3-haiku")
"""A run of 300 credits: 250 inference + 20 % markup of 50."""
HAIKU_WITH_FEE = ChargeRequest("ada", "summarise", "claude-3-haiku", "ben", 1_001)
"""A run of 1,251 credits: 250 inference + 1,001 fee, of which 800 are the creator's and 201 the platform's."""
TOKENS = ChargeRequest("ada", "summarise", "openai/gpt-4o", input_tokens=1_021, output_tokens=129)
"""A run of 4,611 credits: 1,021 × 2.5 + 129 × 10 = 3,842.5, so 3,843 inference; 20 % of it is 768.6, so 768."""
USED = ChargeRequest(
    "ada",
    "research",
    "gpt-5-2025-08-07",
    usage=(
        ("input_tokens", 2_006),
        ("output_tokens", 300),
        ("cache_read_tokens", 1_920),
        ("output_reasoning_tokens", 192),
        ("web_searches", 2),
    ),
    service_tier="flex",
)
"""A run of 23,841 credits: 86 × 0.625 + 300 × 5 + 1,920 × 0.0625 + 2 × 10,000 = 21,673.75, so 21,674; 10 % is 2,167."""
UNLOCK = UnlockRequest("ada", "report-flow", "ben", 1_001)
"""An unlock of 1,001 credits, of which 800 are the creator's and 201 the platform's."""


PRICE_LIST = _MODELS.format(haiku_credits=250, input_usd="2.5")
"""The three models of `price_book`, as the text of a price list."""


def price_book() -> PriceBook:
    """The specification's plan and three models."""
    plan = parse_price_plan(_PLAN.format(id="plan-1", share_bps=8_000, first_bps=2_000))
    return PriceBook(parse_model_registry(PRICE_LIST), plan, {plan.id: plan})


PRICES = _MODELS.format(haiku_credits=250, input_usd="2.5")
"""The price list of `price_book`."""
USAGE_PRICES = PRICES + _RESEARCHER
"""The price list of `usage_book`."""


def usage_book(price_list: int | None = None) -> PriceBook:
    """The price book with a model that is priced by four units, and that has a dated name elsewhere."""
    book = price_book()
    researcher = parse_model_registry(_RESEARCHER)

    def elsewhere(name: str) -> Model:
        if name not in {"gpt-5-2025-08-07", "openai/gpt-5"}:
            raise UnknownModel(name)
        return researcher["openai/gpt-5"]

    models = ModelRegistry(
        {**book.models.models, **researcher.models}, researcher.ids_by_package_id, elsewhere=elsewhere
    )
    return replace(book, models=models, price_list=price_list)


def dearer_book() -> PriceBook:
    """A later day: other model prices, and another live plan (50 % markup, 70 % creator share) beside the first."""
    plan = parse_price_plan(_PLAN.format(id="plan-2", share_bps=7_000, first_bps=5_000))
    models = parse_model_registry(_MODELS.format(haiku_credits=400, input_usd="5"))
    return PriceBook(models, plan, {**price_book().plans, plan.id: plan})


def add(
    engine: Engine,
    user_id: str,
    amount_credits: int,
    *,
    key: str,
    source: CreditSource = CreditSource.PURCHASE,
    reason: str = "",
    expires_at: datetime | None = None,
    now: datetime = NOW,
    distinct: bool = False,
) -> Receipt:
    return database.write(
        engine,
        lambda connection: actions.add_credits(
            connection,
            user_id,
            amount_credits,
            source=source,
            reason=reason,
            expires_at=expires_at,
            key=key,
            now=now,
            actor=TESTER,
            distinct=distinct,
        ),
    )


def charge(
    engine: Engine, request: ChargeRequest, *, key: str, book: PriceBook | None = None, now: datetime = NOW
) -> Receipt:
    book = book or price_book()
    return database.write(
        engine,
        lambda connection: actions.charge_prompt(connection, request, book=book, key=key, now=now, actor=TESTER),
    )


def unlock(engine: Engine, request: UnlockRequest, *, key: str, now: datetime = NOW) -> Unlock:
    book = price_book()
    return database.write(
        engine,
        lambda connection: actions.unlock_flow(connection, request, book=book, key=key, now=now, actor=TESTER),
    )


def refund(
    engine: Engine,
    entry_id: int,
    *,
    key: str,
    reason: str = "The answer was empty",
    provider_refunded: bool = False,
    amount_credits: int | None = None,
    book: PriceBook | None = None,
    now: datetime = NOW,
) -> Receipt:
    book = book or price_book()
    return database.write(
        engine,
        lambda connection: actions.refund(
            connection,
            entry_id,
            reason=reason,
            provider_refunded=provider_refunded,
            amount_credits=amount_credits,
            book=book,
            key=key,
            now=now,
            actor=TESTER,
        ),
    )


def plan_as_seen(connection: Connection, plan: PricePlan, revision: int) -> PlanRecord:
    """The stored plan with this plan's id, as somebody saw it at this revision."""
    stored = plan_records.plans(connection).get(plan.id)
    return replace(stored or PlanRecord(plan, PlanStatus.DRAFT, 1, "tester", NOW), revision=revision)


def save_draft(engine: Engine, plan: PricePlan, *, revision: int = 0, now: datetime = NOW) -> PlanRecord:
    """Save a draft over its revision that was seen, 0 for none."""

    def action(connection: Connection) -> PlanRecord:
        seen = plan_as_seen(connection, plan, revision) if revision else None
        return plan_actions.save_draft(connection, plan, seen=seen, now=now, actor=TESTER)

    return database.write(engine, action)


def put_in_force(engine: Engine, plan: PricePlan, *, reason: str = "A test needs it", now: datetime = NOW) -> None:
    """Save a plan and activate it, unless it was saved before; then it is activated as it is."""

    def action(connection: Connection) -> None:
        stored = plan_records.plans(connection).get(plan.id)
        record = stored or plan_actions.save_draft(connection, plan, seen=None, now=now, actor=TESTER)
        if record.status is not PlanStatus.IN_FORCE:
            plan_actions.activate(connection, record, reason=reason, now=now, actor=TESTER)

    database.write(engine, action)


def make_prices_live(engine: Engine, toml: str) -> int:
    """Save a price list and make it live; returns its number."""

    def action(connection: Connection) -> int:
        number = lists.save(connection, toml, source="hand-written", now=NOW, actor=TESTER)
        lists.activate(connection, number, reason="A test needs it", now=NOW, actor=TESTER)
        return number

    return database.write(engine, action)


def run_by(user_id: str, request: ChargeRequest = HAIKU) -> ChargeRequest:
    """The same run, by another user."""
    return replace(request, user_id=user_id)
