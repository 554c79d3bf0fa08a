import runpy
from datetime import date
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.pricing.models import RunPrice
from credits_core.settings import StripeSettings

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("given", [None, ""])
def test_the_database_is_a_file_of_the_checkout_unless_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    if given is None:
        monkeypatch.delenv("CREDITS_DATABASE_URL", raising=False)
    else:
        monkeypatch.setenv("CREDITS_DATABASE_URL", given)
    assert settings.database_url() == f"sqlite:///{ROOT / 'data' / 'credits.db'}"


def test_the_environment_names_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_DATABASE_URL", "postgresql://credits@db.example.org/credits")
    assert settings.database_url() == "postgresql://credits@db.example.org/credits"


@pytest.mark.parametrize(
    ("given", "enabled", "at_start"),
    [(None, True, False), ("", True, False), ("1", True, True), ("0", False, False)],
)
def test_the_demo_is_offered_unless_it_is_set_to_0_and_built_at_the_start_with_1(
    monkeypatch: pytest.MonkeyPatch, given: str | None, enabled: bool, at_start: bool
) -> None:
    if given is None:
        monkeypatch.delenv("CREDITS_DEMO", raising=False)
    else:
        monkeypatch.setenv("CREDITS_DEMO", given)
    assert (settings.demo_enabled(), settings.demo_at_start()) == (enabled, at_start)


def test_the_demo_ends_today_or_on_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_DEMO_END")
    assert settings.demo_end() is None
    monkeypatch.setenv("CREDITS_DEMO_END", "2026-11-22")
    assert settings.demo_end() == date(2026, 11, 22)


@pytest.mark.parametrize("given", ["soon", "22.11.2026", "2026-11-31", "2026-11-22T10:00", "1999-12-31", "0001-01-01"])
def test_an_end_that_is_no_day_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CREDITS_DEMO_END", given)
    with pytest.raises(InvalidRequest) as caught:
        settings.demo_end()
    assert str(caught.value) == f"CREDITS_DEMO_END: must be a day such as 2026-11-22, from 2000 on, not {given!r}"


@pytest.mark.parametrize(
    "given", ["https://shop.example/", "shop.example", "*", "https://a.example, https://b.example"]
)
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CREDITS_CORS_ORIGINS", given)
    with pytest.raises(InvalidRequest, match="must be origins such as"):
        settings.cors_origins()


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.cors_origins() == []
    monkeypatch.setenv("CREDITS_CORS_ORIGINS", "https://shop.example,http://localhost:3000")
    assert settings.cors_origins() == ["https://shop.example", "http://localhost:3000"]


@pytest.mark.parametrize(
    ("given", "name"),
    [(None, "UTC"), ("", "UTC"), ("UTC", "UTC"), ("Europe/Berlin", "Europe/Berlin"), ("US/Eastern", "US/Eastern")],
)
def test_days_are_in_utc_unless_another_time_zone_is_set(
    monkeypatch: pytest.MonkeyPatch, given: str | None, name: str
) -> None:
    if given is None:
        monkeypatch.delenv("CREDITS_TIME_ZONE", raising=False)
    else:
        monkeypatch.setenv("CREDITS_TIME_ZONE", given)
    assert settings.time_zone().name == name


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("Berlin", "must be the name of a time zone, such as Europe/Berlin, not 'Berlin'"),
        ("europe/berlin", "must be the name of a time zone, such as Europe/Berlin, not 'europe/berlin'"),
        ("../../etc/passwd", "must be the name of a time zone, such as "),
        ("+02:00", "must be the name of a time zone, such as "),
        (" ", "must be the name of a time zone, such as Europe/Berlin, not ' '"),
    ],
)
def test_an_unknown_time_zone_is_refused_with_one_that_may_be_meant(
    monkeypatch: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    monkeypatch.setenv("CREDITS_TIME_ZONE", given)
    with pytest.raises(InvalidRequest) as caught:
        settings.time_zone()
    assert str(caught.value).startswith(f"CREDITS_TIME_ZONE: {problem}")


def test_the_price_book_is_read_from_the_data_folder() -> None:
    book = settings.load_price_book()
    assert book.plan.id == "promptflow-v1"
    assert book.plan == book.plans["promptflow-v1"]
    assert book.plan.creator_share_bps == 8_000
    assert book.models["claude-3-haiku"].prices == RunPrice(250)


def test_a_data_folder_without_the_first_plan_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "FIRST_PLAN_FILE", tmp_path / "promptflow-v1.toml")
    with pytest.raises(DataFileInvalid, match=r"promptflow-v1\.toml: cannot be read: No such file"):
        settings.load_price_book()


def test_a_data_folder_without_models_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "MODELS_FILE", tmp_path / "models.toml")
    with pytest.raises(DataFileInvalid, match=r"models\.toml"):
        settings.load_price_book()


def test_the_files_of_the_data_folder_are_there() -> None:
    for path in (settings.MODELS_FILE, settings.DEMO_FILE, settings.WORKLOADS_FILE, settings.FIRST_PLAN_FILE):
        assert path.is_file()
    assert settings.PROJECT_FOLDER == ROOT


STRIPE = {
    "CREDITS_GATEWAY": "stripe",
    "CREDITS_STRIPE_SECRET_KEY": "sk_test_1",
    "CREDITS_STRIPE_WEBHOOK_SECRET": "whsec_1",
    "CREDITS_PUBLIC_URL": "https://credits.example.org/tools/",
}


def set_stripe(monkeypatch: pytest.MonkeyPatch, **others: str) -> None:
    monkeypatch.delenv("CREDITS_STRIPE_URL", raising=False)
    for name, text in (STRIPE | others).items():
        monkeypatch.setenv(name, text)


@pytest.mark.parametrize("given", ["", "sandbox"])
def test_payments_are_played_unless_a_gateway_is_set(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    set_stripe(monkeypatch, CREDITS_GATEWAY=given)
    assert (settings.gateway_name(), settings.stripe()) == ("sandbox", None)
    monkeypatch.setenv("CREDITS_GATEWAY", "paypal")
    with pytest.raises(InvalidRequest) as caught:
        settings.stripe()
    assert str(caught.value) == "CREDITS_GATEWAY: must be sandbox or stripe, not 'paypal'"


def test_stripe_is_asked_at_its_own_address_unless_another_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_stripe(monkeypatch)
    found = settings.stripe()
    assert found == StripeSettings(
        "sk_test_1", "whsec_1", "https://api.stripe.com", "https://credits.example.org/tools"
    )
    assert str(found) == (
        "StripeSettings(api_url='https://api.stripe.com', public_url='https://credits.example.org/tools')"
    )
    for given in ("http://127.0.0.1:4711", "http://localhost/stripe", "http://[::1]:1", "https://proxy.example.org/s"):
        monkeypatch.setenv("CREDITS_STRIPE_URL", f"{given}/")
        assert (settings.stripe() or found).api_url == given


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("CREDITS_STRIPE_SECRET_KEY", "the secret key of your Stripe account, sk_… or rk_…"),
        ("CREDITS_STRIPE_WEBHOOK_SECRET", "the signing secret of the webhook, whsec_…"),
        ("CREDITS_PUBLIC_URL", "the dashboard's address, such as https://credits.example.org"),
    ],
)
def test_what_stripe_needs_is_said_when_it_is_missing(monkeypatch: pytest.MonkeyPatch, name: str, what: str) -> None:
    set_stripe(monkeypatch, **{name: ""})
    with pytest.raises(InvalidRequest) as caught:
        settings.stripe()
    assert str(caught.value) == f"{name}: must be set while CREDITS_GATEWAY is stripe: {what}"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("CREDITS_STRIPE_SECRET_KEY", "pk_test_1"),
        ("CREDITS_STRIPE_SECRET_KEY", "whsec_1"),
        ("CREDITS_STRIPE_SECRET_KEY", "sk_test 1"),
        ("CREDITS_STRIPE_SECRET_KEY", "sk_"),
        ("CREDITS_STRIPE_WEBHOOK_SECRET", "sk_test_1"),
        ("CREDITS_STRIPE_URL", "api.stripe.com"),
        ("CREDITS_STRIPE_URL", "http://api.stripe.com"),
        ("CREDITS_STRIPE_URL", "http://localhost.example.org"),
        ("CREDITS_STRIPE_URL", "https://user:password@proxy.example.org"),
        ("CREDITS_PUBLIC_URL", "credits.example.org"),
        ("CREDITS_PUBLIC_URL", "https://"),
        ("CREDITS_PUBLIC_URL", "https://credits.example.org/?page=1"),
        ("CREDITS_PUBLIC_URL", "https://credits.example.org/#top"),
        ("CREDITS_PUBLIC_URL", f"https://credits.example.org/{'a' * 500}"),
    ],
)
def test_what_cannot_be_right_for_stripe_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    meant = {
        "CREDITS_STRIPE_SECRET_KEY": "the secret key of your Stripe account, sk_… or rk_…",
        "CREDITS_STRIPE_WEBHOOK_SECRET": "the signing secret of the webhook, whsec_…",
        "CREDITS_STRIPE_URL": "an https address such as https://api.stripe.com",
        "CREDITS_PUBLIC_URL": "the dashboard's address, such as https://credits.example.org",
    }
    set_stripe(monkeypatch, **{name: given})
    with pytest.raises(InvalidRequest) as caught:
        settings.stripe()
    assert str(caught.value) == f"{name}: must be {meant[name]}"


@pytest.mark.parametrize(("given", "kept"), [("", 5_000), ("0", 0), ("17", 17), ("100000", 100_000)])
def test_the_environment_says_how_many_calls_are_kept(monkeypatch: pytest.MonkeyPatch, given: str, kept: int) -> None:
    monkeypatch.setenv("CREDITS_KEPT_CALLS", given)
    assert settings.kept_calls() == kept


@pytest.mark.parametrize("given", ["-1", "100001", "many", "1.5", "²", "٣"])
def test_what_is_no_number_of_calls_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CREDITS_KEPT_CALLS", given)
    with pytest.raises(InvalidRequest) as caught:
        settings.kept_calls()
    assert str(caught.value) == f"CREDITS_KEPT_CALLS: must be a whole number from 0 to 100,000, not {given!r}"


@pytest.mark.parametrize(("given", "credits"), [(None, 10_000_000), ("", 10_000_000), ("0", 0), ("250000", 250_000)])
def test_one_person_moves_ten_dollars_alone_unless_it_is_set_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: str | None, credits: int
) -> None:
    if given is None:
        monkeypatch.delenv("CREDITS_FOUR_EYES_ABOVE", raising=False)
    else:
        monkeypatch.setenv("CREDITS_FOUR_EYES_ABOVE", given)
    assert settings.four_eyes_above_credits() == credits


@pytest.mark.parametrize("given", ["-1", "1.5", "10,000", "9007199254740992", "much"])
def test_a_limit_that_is_no_amount_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CREDITS_FOUR_EYES_ABOVE", given)
    with pytest.raises(InvalidRequest, match="must be a whole number of credits"):
        settings.four_eyes_above_credits()


def test_test_users_have_no_prefix_unless_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_TEST_USER_PREFIX", raising=False)
    assert settings.test_user_prefix() == ""
    monkeypatch.setenv("CREDITS_TEST_USER_PREFIX", "qa-")
    assert settings.test_user_prefix() == "qa-"
    monkeypatch.setenv("CREDITS_TEST_USER_PREFIX", " qa:")
    with pytest.raises(InvalidRequest, match="CREDITS_TEST_USER_PREFIX"):
        settings.test_user_prefix()


@pytest.mark.parametrize(("given", "seconds"), [(None, 8), ("", 8), ("1", 1), ("300", 300)])
def test_a_request_is_answered_within_eight_seconds_unless_it_is_set_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: str | None, seconds: int
) -> None:
    if given is None:
        monkeypatch.delenv("CREDITS_DEADLINE_SECONDS", raising=False)
    else:
        monkeypatch.setenv("CREDITS_DEADLINE_SECONDS", given)
    assert settings.deadline_seconds() == seconds


@pytest.mark.parametrize("given", ["0", "301", "-1", "1.5", "8s", "never"])
def test_a_deadline_that_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CREDITS_DEADLINE_SECONDS", given)
    with pytest.raises(InvalidRequest, match="must be a whole number from 1 to 300"):
        settings.deadline_seconds()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("CREDITS_SIGN_IN", "yes"),
        ("CREDITS_SIGN_IN_DOMAINS", "example"),
        ("CREDITS_SIGN_IN_CHECK_SECONDS", "0"),
        ("CREDITS_FOUR_EYES_ABOVE", "much"),
        ("CREDITS_TEST_USER_PREFIX", " qa:"),
        ("CREDITS_GATEWAY", "paypal"),
    ],
)
def test_the_server_does_not_start_with_a_setting_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    monkeypatch.setenv(name, wrong)
    with pytest.raises(SystemExit, match=f"error: {name}: must be"):
        runpy.run_path(str(settings.PROJECT_FOLDER / "app.py"))
