"""Where files are, and the settings from environment variables. The only module that reads those."""

import os
import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import Model, ModelRegistry
from credits_core.pricing.models_toml import load_model_registry
from credits_core.pricing.plan_toml import load_price_plan
from credits_core.pricing.quote import PriceBook
from credits_core.values import time_zones
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.fields import is_id
from credits_core.values.roles import USUAL_ALONE_CREDITS
from credits_core.values.time_zones import TimeZone

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
DATA_FOLDER = PROJECT_FOLDER / "data"
MODELS_FILE = DATA_FOLDER / "models.toml"
DEMO_FILE = DATA_FOLDER / "demo.toml"
WORKLOADS_FILE = DATA_FOLDER / "workloads.toml"
FIRST_PLAN_FILE = DATA_FOLDER / "price_plans" / "promptflow-v1.toml"
SCENARIOS_FILE = DATA_FOLDER / "scenarios.toml"
WATCH_FILE = DATA_FOLDER / "watch.toml"
PACKS_FILE = DATA_FOLDER / "packs.toml"
PAYOUTS_FILE = DATA_FOLDER / "payouts.toml"
PRICE_CORRECTIONS_FILE = DATA_FOLDER / "price_corrections.toml"
GATEWAYS = ("sandbox", "stripe")
_STRIPE_URL = "https://api.stripe.com"
_EARLIEST_DEMO_END = date(2000, 1, 1)
_MOST_KEPT_CALLS = 100_000
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")
_HOST_AND_PORT = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", re.ASCII)
_SAFE_ADDRESS = re.compile(r"https://.*|http://(localhost|127\.0\.0\.1|\[::1\])([:/].*)?")
_LONGEST_ADDRESS = 500
_STRIPE_KEY, _STRIPE_SECRET = re.compile(r"(sk|rk)_[!-~]+"), re.compile(r"whsec_[!-~]+")
_USUAL_CHECK_SECONDS, _LONGEST_CHECK_SECONDS = 20, 30
_USUAL_DEADLINE_SECONDS, _LONGEST_DEADLINE_SECONDS = 8, 300
_USUAL_BACKUP_MINUTES, _LONGEST_BACKUP_MINUTES = 120, 1_440


class SignIn(StrEnum):
    """How people reach the dashboard. The value is what `CREDITS_SIGN_IN` says."""

    LOCAL = ""
    OIDC = "oidc"
    NONE = "none-at-my-own-risk"


@dataclass(frozen=True, slots=True)
class StripeSettings:
    """How Stripe is asked, and where its pages lead back to. The secrets do not show when it is printed."""

    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    api_url: str
    public_url: str


def database_url() -> str:
    """`CREDITS_DATABASE_URL`, or the SQLite file `data/credits.db` of this checkout."""
    return os.environ.get("CREDITS_DATABASE_URL") or f"sqlite:///{DATA_FOLDER / 'credits.db'}"


def demo_enabled() -> bool:
    """Whether the demo world and its prompts are offered: true unless `CREDITS_DEMO=0`."""
    return _demo() != "0"


def demo_at_start() -> bool:
    """Whether an empty database gets the demo world when a process starts: with `CREDITS_DEMO=1`.

    Unless `CREDITS_DEMO` is set, the start page of the dashboard asks.
    """
    return _demo() not in ("", "0")


def _demo() -> str:
    return os.environ.get("CREDITS_DEMO", "")


def time_zone() -> TimeZone:
    """`CREDITS_TIME_ZONE`: the time zone whose days count, by its name in the IANA database; default UTC.

    Raises:
        InvalidRequest: there is no such time zone.
    """
    name = os.environ.get("CREDITS_TIME_ZONE") or time_zones.UTC_ZONE.name
    if name in time_zones.names():
        return time_zones.zone_named(name)
    raise InvalidRequest(
        "CREDITS_TIME_ZONE", f"must be the name of a time zone, such as {time_zones.most_like(name)}, not {name!r}"
    )


def demo_end() -> date | None:
    """`CREDITS_DEMO_END`: the last day of the demo world, such as 2026-11-22; None, the default, for today.

    Raises:
        InvalidRequest: it is no day.
    """
    given = os.environ.get("CREDITS_DEMO_END")
    if not given:
        return None
    try:
        day = date.fromisoformat(given)
    except ValueError:
        day = date.min
    if day < _EARLIEST_DEMO_END:
        raise InvalidRequest("CREDITS_DEMO_END", f"must be a day such as 2026-11-22, from 2000 on, not {given!r}")
    return day


def load_models() -> ModelRegistry:
    """The AI models of `data/models.toml`.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    return replace(load_model_registry(MODELS_FILE), elsewhere=_from_the_price_package)


def _from_the_price_package(name: str) -> Model:
    from credits_core.prices import catalogue  # its price data takes a while to load, and few processes need it

    return catalogue.find_model(name, PRICE_CORRECTIONS_FILE)


def load_price_book() -> PriceBook:
    """The price book that a new database begins with: the models, and the specification's plan as the live one.

    Raises:
        DataFileInvalid: a file is missing or wrong; every problem is listed.
    """
    plan = load_price_plan(FIRST_PLAN_FILE)
    return PriceBook(models=load_models(), plan=plan, plans={plan.id: plan})


def four_eyes_above_credits() -> int:
    """`CREDITS_FOUR_EYES_ABOVE`: how many credits one person may move at once; a second one approves more.

    Default 10,000,000.

    Raises:
        InvalidRequest: it is not a whole number from 0 to 2^53-1.
    """
    given = os.environ.get("CREDITS_FOUR_EYES_ABOVE") or str(USUAL_ALONE_CREDITS)
    if not given.isascii() or not given.isdecimal() or int(given) > MAX_CREDITS:
        raise InvalidRequest("CREDITS_FOUR_EYES_ABOVE", f"must be a whole number of credits, not {given!r}")
    return int(given)


def gateway_name() -> str:
    """`CREDITS_GATEWAY`: through which gateway users pay; `sandbox`, the default, plays payments without money.

    Raises:
        InvalidRequest: there is no such gateway.
    """
    given = os.environ.get("CREDITS_GATEWAY") or "sandbox"
    if given not in GATEWAYS:
        raise InvalidRequest("CREDITS_GATEWAY", f"must be {' or '.join(GATEWAYS)}, not {given!r}")
    return given


def stripe() -> StripeSettings | None:
    """The settings of Stripe; None with another gateway.

    `CREDITS_STRIPE_SECRET_KEY`, `CREDITS_STRIPE_WEBHOOK_SECRET` and `CREDITS_PUBLIC_URL` have to be set.
    `CREDITS_STRIPE_URL` is the base of its API, for a proxy or a test.

    Raises:
        InvalidRequest: there is no such gateway, or one of these is missing or cannot be right.
    """
    if gateway_name() != "stripe":
        return None
    return StripeSettings(
        _of_stripe("CREDITS_STRIPE_SECRET_KEY", _STRIPE_KEY, "the secret key of your Stripe account, sk_… or rk_…"),
        _of_stripe("CREDITS_STRIPE_WEBHOOK_SECRET", _STRIPE_SECRET, "the signing secret of the webhook, whsec_…"),
        _of_stripe("CREDITS_STRIPE_URL", _SAFE_ADDRESS, f"an https address such as {_STRIPE_URL}", _STRIPE_URL),
        _of_stripe("CREDITS_PUBLIC_URL", _ADDRESS, "the dashboard's address, such as https://credits.example.org"),
    )


def _of_stripe(name: str, form: re.Pattern[str], meaning: str, default: str = "") -> str:
    given = os.environ.get(name) or default
    is_address = form in (_ADDRESS, _SAFE_ADDRESS)
    if not given:
        raise InvalidRequest(name, f"must be set while CREDITS_GATEWAY is stripe: {meaning}")
    if not form.fullmatch(given) or (is_address and not (_ADDRESS.fullmatch(given) and len(given) <= _LONGEST_ADDRESS)):
        # What was given may be a secret in the wrong place, so it is not repeated.
        raise InvalidRequest(name, f"must be {meaning}")
    return given.rstrip("/") if is_address else given


def deadline_seconds() -> int:
    """`CREDITS_DEADLINE_SECONDS`: within how many seconds a request, or an action of a screen, is answered; default 8.

    Raises:
        InvalidRequest: it is no whole number from 1 to 300.
    """
    return _whole_number("CREDITS_DEADLINE_SECONDS", _USUAL_DEADLINE_SECONDS, _LONGEST_DEADLINE_SECONDS)


def _whole_number(name: str, usual: int, most: int, *, least: int = 1) -> int:
    given = os.environ.get(name) or str(usual)
    if not given.isascii() or not given.isdecimal() or not least <= int(given) <= most:
        raise InvalidRequest(name, f"must be a whole number from {least} to {most:,}, not {given!r}")
    return int(given)


def rate_limit() -> str:
    """`CREDITS_RATE_LIMIT`: how many requests an API key, and an address, may make; default `600/minute`."""
    return os.environ.get("CREDITS_RATE_LIMIT") or "600/minute"


def rate_limit_storage() -> str:
    """`CREDITS_RATE_LIMIT_STORAGE`: where requests are counted: `memory://`, for this process, or a Redis URL."""
    return os.environ.get("CREDITS_RATE_LIMIT_STORAGE") or "memory://"


def kept_calls() -> int:
    """`CREDITS_KEPT_CALLS`: how many calls of the API are kept for the dashboard to show; default 5,000, 0 keeps none.

    Raises:
        InvalidRequest: it is no whole number from 0 to 100,000.
    """
    return _whole_number("CREDITS_KEPT_CALLS", 5_000, _MOST_KEPT_CALLS, least=0)


def test_user_prefix() -> str:
    """`CREDITS_TEST_USER_PREFIX`: how the ids of test users begin, such as `qa-`; empty, the default: no id does.

    Raises:
        InvalidRequest: no id can begin so.
    """
    given = os.environ.get("CREDITS_TEST_USER_PREFIX", "")
    if given and not is_id(given):
        raise InvalidRequest("CREDITS_TEST_USER_PREFIX", f"must be the beginning of an id, such as qa-, not {given!r}")
    return given


def log_people() -> bool:
    """Whether the log may name people: true unless `CREDITS_LOG_PEOPLE=0`.

    Raises:
        InvalidRequest: it is neither 0 nor 1.
    """
    given = os.environ.get("CREDITS_LOG_PEOPLE") or "1"
    if given not in ("0", "1"):
        raise InvalidRequest("CREDITS_LOG_PEOPLE", f"must be 0 or 1, not {given!r}")
    return given == "1"


def metrics_key() -> str:
    """`CREDITS_METRICS_KEY`: the key with which another machine may read the metrics; empty: no other machine may."""
    return os.environ.get("CREDITS_METRICS_KEY", "")


def notify_urls() -> tuple[str, ...]:
    """`CREDITS_NOTIFY_URLS`: where notices go, as addresses of apprise with spaces between; by default nowhere."""
    return tuple(os.environ.get("CREDITS_NOTIFY_URLS", "").split())


def seal_key_file() -> Path | None:
    """`CREDITS_SEAL_KEY_FILE`: the file with the key that signs seals; None, the default, signs none."""
    return Path(given) if (given := os.environ.get("CREDITS_SEAL_KEY_FILE")) else None


def jobs_enabled() -> bool:
    """Whether the servers run the jobs by themselves: true unless `CREDITS_JOBS=0`."""
    return os.environ.get("CREDITS_JOBS", "") != "0"


def usage_folder() -> Path:
    """`CREDITS_USAGE_FOLDER`: where usage of other systems is kept as data sets; default `data/usage/` here."""
    return Path(os.environ.get("CREDITS_USAGE_FOLDER") or DATA_FOLDER / "usage")


def backup_url() -> str:
    """`CREDITS_BACKUP_URL`: where backups are kept, a folder or any address of fsspec; default `backups/` here."""
    return os.environ.get("CREDITS_BACKUP_URL") or str(PROJECT_FOLDER / "backups")


def backup_recipients() -> tuple[str, ...]:
    """`CREDITS_BACKUP_RECIPIENT`: public keys of age, separated by commas; without any, backups are not encrypted."""
    return tuple(key for one in os.environ.get("CREDITS_BACKUP_RECIPIENT", "").split(",") if (key := one.strip()))


def backup_identity_file() -> Path | None:
    """`CREDITS_BACKUP_IDENTITY_FILE`: the file with the age identity that opens encrypted backups, or None."""
    return Path(given) if (given := os.environ.get("CREDITS_BACKUP_IDENTITY_FILE")) else None


def backup_scratch_url() -> str | None:
    """`CREDITS_BACKUP_SCRATCH_URL`: a PostgreSQL server where drills may make databases; None: the ledger's own."""
    return os.environ.get("CREDITS_BACKUP_SCRATCH_URL") or None


def backup_minutes() -> int:
    """`CREDITS_BACKUP_MINUTES`: how long one step of a backup may take, such as `pg_dump`: 1 to 1440; default 120."""
    return _whole_number("CREDITS_BACKUP_MINUTES", _USUAL_BACKUP_MINUTES, _LONGEST_BACKUP_MINUTES)


def environment_of_a_process(own_database_url: str | None = None) -> dict[str, str]:
    """The environment for a process that this one starts; where a database is given, with that one."""
    return os.environ | ({} if own_database_url is None else {"CREDITS_DATABASE_URL": own_database_url})


def cors_origins() -> list[str]:
    """`CREDITS_CORS_ORIGINS`: the origins, separated by commas, whose pages may call the API; by default none.

    Raises:
        InvalidRequest: one is not written as browsers write origins, so no page could ever match it.
    """
    origins = [origin for origin in os.environ.get("CREDITS_CORS_ORIGINS", "").split(",") if origin]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise InvalidRequest(
                "CREDITS_CORS_ORIGINS", f"must be origins such as https://promptflow.example, not {origin!r}"
            )
    return origins


def allowed_hosts() -> list[str]:
    """`CREDITS_ALLOWED_HOSTS`: the names, separated by commas, under which callers may ask; by default any.

    Raises:
        InvalidRequest: one is not a name such as credits.example.org or *.example.org.
    """
    return _hosts("CREDITS_ALLOWED_HOSTS", _HOST, "names such as credits.example.org, without a port")


def webhook_hosts() -> list[str]:
    """`CREDITS_WEBHOOK_HOSTS`: hosts inside the network that may be told of events, with commas; by default none.

    Raises:
        InvalidRequest: one is not a host such as hooks.internal, or with its one port hooks.internal:8443.
    """
    return _hosts("CREDITS_WEBHOOK_HOSTS", _HOST_AND_PORT, "hosts such as hooks.internal or 10.0.0.7:8080")


def _hosts(setting: str, form: re.Pattern[str], what: str) -> list[str]:
    hosts = [host.strip().lower() for host in os.environ.get(setting, "").split(",") if host.strip()]
    for host in hosts:
        if not form.fullmatch(host):
            raise InvalidRequest(setting, f"must be {what}, not {host!r}")
    return hosts


def sign_in() -> SignIn:
    """`CREDITS_SIGN_IN`: whether people sign in at the dashboard. Unless it is set, only this machine is served.

    Raises:
        InvalidRequest: it is neither oidc nor none-at-my-own-risk.
    """
    given = os.environ.get("CREDITS_SIGN_IN", "")
    if given in list(SignIn):
        return SignIn(given)
    raise InvalidRequest(
        "CREDITS_SIGN_IN",
        f"must be oidc, or none-at-my-own-risk, or not be set for this machine alone, not {given!r}",
    )


def sign_in_domains() -> frozenset[str]:
    """`CREDITS_SIGN_IN_DOMAINS`: the domains, separated by commas, whose people are let in as viewers; default none.

    Raises:
        InvalidRequest: one is not a domain such as example.org.
    """
    return frozenset(_hosts("CREDITS_SIGN_IN_DOMAINS", _DOMAIN, "domains such as example.org"))


def sign_in_check() -> timedelta:
    """`CREDITS_SIGN_IN_CHECK_SECONDS`: how often an open tab asks whether its person is still let in; default 20.

    Raises:
        InvalidRequest: it is no whole number from 1 to 30, with which everybody is out within a minute.
    """
    seconds = _whole_number("CREDITS_SIGN_IN_CHECK_SECONDS", _USUAL_CHECK_SECONDS, _LONGEST_CHECK_SECONDS)
    return timedelta(seconds=seconds)


def secrets_files() -> tuple[Path, ...]:
    """The files with Streamlit's secrets: `STREAMLIT_SECRETS_FILES`, or `.streamlit/secrets.toml` of this checkout."""
    given = os.environ.get("STREAMLIT_SECRETS_FILES", "")
    return tuple(map(Path, filter(None, given.split(",")))) or (PROJECT_FOLDER / ".streamlit" / "secrets.toml",)


CHECKED = (
    time_zone,
    demo_end,
    four_eyes_above_credits,
    stripe,
    deadline_seconds,
    backup_minutes,
    kept_calls,
    test_user_prefix,
    log_people,
    cors_origins,
    allowed_hosts,
    webhook_hosts,
    sign_in,
    sign_in_domains,
    sign_in_check,
)
"""The settings that can be given wrongly: each refuses what it cannot accept."""


def unknown_variables() -> list[str]:
    """The variables that begin like a setting of ours, and that nothing reads: this module names all that are."""
    known = set(re.findall(r'"(CREDITS_[A-Z_]+)"', Path(__file__).read_text(encoding="utf-8")))
    return sorted(name for name in os.environ if name.startswith("CREDITS_") and name not in known)
