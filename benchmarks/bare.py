"""What the benchmarks compare with: a charge by the bare driver, and a bare Starlette route that carries it out.

`uvicorn --factory benchmarks.bare:app` serves the route over the SQLite file that `CREDITS_DATABASE_URL` names.
"""

from typing import Any

from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from credits_core import settings
from credits_core.store import database

NOW_US = 1_767_225_600_000_000
PLENTY_CREDITS = 10**15
# The amounts are written out, because the bare driver prices nothing: 1,020 × 2.5 + 129 × 10 = 3,840 inference, 1,001
# fee of which 800 are the creator's.
STATEMENTS = (
    "INSERT INTO journal_entries (type, idempotency_key, request_hash, actor, description, refunds_entry_id,"
    " created_at_us) VALUES ('prompt_run', ?, ?, 'bench', NULL, NULL, ?) ON CONFLICT (idempotency_key) DO NOTHING"
    " RETURNING id",
    "UPDATE user_credits SET balance_credits = balance_credits - ? WHERE user_id = ? AND balance_credits >= ?"
    " RETURNING balance_credits",
    "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES (?, ?, ?) ON CONFLICT (user_id)"
    " DO UPDATE SET balance_credits = user_credits.balance_credits + excluded.balance_credits"
    " WHERE user_credits.balance_credits <= 9007199254740991 - excluded.balance_credits"
    " RETURNING balance_credits",
    "INSERT INTO credit_transactions (entry_id, position, account_id, type, amount_credits, balance_after_credits,"
    " created_at_us) VALUES (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?)",
    "INSERT INTO prompt_runs (entry_id, user_id, prompt_id, model_id, creator_id, plan_id, input_tokens, output_tokens,"
    " run_price_credits, input_usd_per_mtok, output_usd_per_mtok, request_usd_per_thousand, inference_cost_credits,"
    " creator_fee_credits, platform_markup_credits, total_credits, creator_share_credits, created_at_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
)


def charge(
    connection: Any, key: str, statements: tuple[str, ...] = STATEMENTS, *, begin: str = "BEGIN IMMEDIATE"
) -> int:
    """Charge one run in one durable commit, and return the payer's balance in credits."""
    claim, take, give, add_transactions, add_run = statements
    run = connection.execute
    run(begin)
    (entry_id,) = run(claim, (key, "0" * 64, NOW_US)).fetchone()
    (payer_credits,) = run(take, (4_841, "ada", 4_841)).fetchone()
    (creator_credits,) = run(give, ("ben", 800, NOW_US)).fetchone()
    run(
        add_transactions,
        (
            *(entry_id, 0, "ada", "prompt_run", -4_841, payer_credits, NOW_US),
            *(entry_id, 1, "ben", "creator_payment", 800, creator_credits, NOW_US),
            *(entry_id, 2, "platform:revenue", "platform_revenue", 201, None, NOW_US),
            *(entry_id, 3, "platform:inference", "inference_cost", 3_840, None, NOW_US),
        ),
    )
    priced_with = ("promptflow-v1", 1_020, 129, None, "2.5", "10", "0")
    costs = (3_840, 1_001, 0, 4_841, 800, NOW_US)
    run(add_run, (entry_id, "ada", "summarise", "openai/gpt-4o", "ben", *priced_with, *costs))
    run("COMMIT")
    return int(payer_credits)


def opened(path: str) -> Any:
    """A driver's connection to a migrated SQLite file, set up as the product's are, with a payer who has plenty."""
    connection = database.sqlite_driver().connect(path)
    database.set_up_sqlite(connection)
    connection.execute(
        "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ada', ?, 0)"
        " ON CONFLICT DO NOTHING",
        (PLENTY_CREDITS,),
    )
    return connection


async def _charge(request: Request) -> JSONResponse:
    await request.json()
    balance_credits = charge(request.app.state.connection, request.headers["Idempotency-Key"])
    return JSONResponse({"user_balance_credits": balance_credits}, 201)


async def _ready(_: Request) -> JSONResponse:
    return JSONResponse({})


def app() -> Starlette:
    """The bare route; for `uvicorn --factory`."""
    app = Starlette(routes=[Route("/", _ready), Route("/api/credits/charge-prompt", _charge, methods=["POST"])])
    app.state.connection = opened(make_url(settings.database_url()).database or "")
    return app
