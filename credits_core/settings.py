"""Where the files are and what the environment says. The only reader of environment variables."""

import os
from pathlib import Path

from credits_core.errors import DataFileInvalid
from credits_core.model_registry import load_model_registry
from credits_core.plan_files import load_price_plans
from credits_core.pricing import PriceBook

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
DATA_FOLDER = PROJECT_FOLDER / "data"
MODELS_FILE = DATA_FOLDER / "models.toml"
DEMO_FILE = DATA_FOLDER / "demo.toml"
WORKLOADS_FILE = DATA_FOLDER / "workloads.toml"
SCENARIOS_FILE = DATA_FOLDER / "scenarios.toml"
PRICE_PLANS_FOLDER = DATA_FOLDER / "price_plans"
ACTIVE_PLAN_ID = "promptflow-v1"


def database_url() -> str:
    """`CREDITS_DATABASE_URL`, or the SQLite file `data/credits.db` of this checkout."""
    return os.environ.get("CREDITS_DATABASE_URL") or f"sqlite:///{DATA_FOLDER / 'credits.db'}"


def demo_enabled() -> bool:
    """Whether an empty database is filled with the demo world and pages offer its prompts: unless `CREDITS_DEMO=0`."""
    return os.environ.get("CREDITS_DEMO", "1") != "0"


def load_price_book() -> PriceBook:
    """The models and price plans under `data/`, with the plan in force.

    Raises:
        DataFileInvalid: a file is missing or wrong; every problem is listed.
    """
    plans = load_price_plans(PRICE_PLANS_FOLDER)
    if ACTIVE_PLAN_ID not in plans:
        raise DataFileInvalid(str(PRICE_PLANS_FOLDER), [f"lacks the plan in force, {ACTIVE_PLAN_ID}.toml"])
    return PriceBook(models=load_model_registry(MODELS_FILE), plan=plans[ACTIVE_PLAN_ID], plans=plans)


def rate_limit() -> str:
    """`CREDITS_RATE_LIMIT`: how many requests an API key, and an address, may make; default `600/minute`."""
    return os.environ.get("CREDITS_RATE_LIMIT") or "600/minute"


def rate_limit_storage() -> str:
    """`CREDITS_RATE_LIMIT_STORAGE`: where requests are counted: `memory://`, for this process, or a Redis URL."""
    return os.environ.get("CREDITS_RATE_LIMIT_STORAGE") or "memory://"


def metrics_key() -> str:
    """`CREDITS_METRICS_KEY`: what a caller from elsewhere sends to read the metrics; empty means nobody else may."""
    return os.environ.get("CREDITS_METRICS_KEY", "")


def cors_origins() -> list[str]:
    """`CREDITS_CORS_ORIGINS`: the origins, separated by commas, whose pages may call the API; by default none."""
    return [origin for origin in os.environ.get("CREDITS_CORS_ORIGINS", "").split(",") if origin]
