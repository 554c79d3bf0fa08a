"""Damage to refunds: each is held against the rule that it was made under, and the rule cannot be changed unseen."""

from collections.abc import Iterator

import pytest

from credits_core.pricing.quote import PriceBook
from tests.support import damage
from tests.support.damage import Ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("refunds"), book) as ledger:
        yield ledger


def _set_rule(entry: str, change: str) -> str:
    return f"UPDATE refunds SET {change} WHERE entry_id = <{entry}>"


def test_a_refund_as_earlier_versions_made_it_is_clean(ledger: Ledger) -> None:
    booked_back = "account_id = 'platform:inference', type = 'inference_cost'"
    assert (
        ledger.after(
            _set_rule("refund of run with fee", "rule = 'cost_booked_back'"),
            damage.set_transaction("refund of run with fee", 3, booked_back),
        )
        == {}
    )


# What was done, the only invariant that reports it, and what its sentence names.
DAMAGE: dict[str, tuple[list[str], str, str]] = {
    "the platform bears more of an inference cost than there was": (
        [
            damage.set_transaction("refund of run by ben", 4, "amount_credits = -420"),
            damage.set_transaction("refund of run by ben", 5, "amount_credits = -260"),
        ],
        "refunds_reverse_once",
        "refund <refund of run by ben> leaves an inference cost of 250, of which the platform bears 260, but its rule"
        " gives 250",
    ),
    "a refund under the present rule books the inference cost back": (
        [
            damage.set_transaction(
                "refund of run by ben", 5, "account_id = 'platform:inference', type = 'inference_cost'"
            )
        ],
        "refunds_reverse_once",
        "refund <refund of run by ben> leaves an inference cost of 0, of which the platform bears 0, but its rule"
        " gives 250",
    ),
    "a refund whose inference cost the platform bore is said to be of the earlier rule": (
        [_set_rule("refund of run with fee", "rule = 'cost_booked_back'")],
        "refunds_reverse_once",
        "refund <refund of run with fee> leaves an inference cost of 250, of which the platform bears 250, but its rule"
        " gives 0",
    ),
    "a refund of an unlock is said to be of the earliest rule, after one of a later rule": (
        [_set_rule("refund of unlock", "rule = 'cost_booked_back'")],
        "refunds_have_a_rule",
        "refund <refund of unlock> has the rule cost_booked_back, but refund <refund of run with fee> before it has"
        " platform_bears_cost",
    ),
    "a refund of a part is said to be of an earlier rule, after one of the present rule": (
        [_set_rule("part of other", "rule = 'platform_bears_cost'")],
        "refunds_have_a_rule",
        "refund <part of other> has the rule platform_bears_cost, but refund <part of fee run> before it has"
        " creator_owes_share",
    ),
    "a refund by which the platform bore a spent share is said to be of the present rule": (
        [_set_rule("refund of unlock", "rule = 'creator_owes_share'")],
        "refunds_reverse_once",
        "refund <refund of unlock> leaves 800 with ben",
    ),
    "the rule of a refund is deleted": (
        ["DELETE FROM refunds WHERE entry_id = <refund of run by ben>"],
        "refunds_have_a_rule",
        "refund <refund of run by ben> has no recorded rule",
    ),
    "a run is given a rule of refunds": (
        ["INSERT INTO refunds VALUES (<late run>, 'platform_bears_cost', FALSE)"],
        "refunds_have_a_rule",
        "entry <late run> has a rule of refunds but is a prompt_run",
    ),
    "the platform bears an inference cost in a run": (
        [
            damage.add_transaction("late run", 3, "platform:refunded_inference", "refund", -5),
            damage.add_transaction("late run", 4, "platform:payments_in", "credit_purchase", 5),
        ],
        "entries_have_the_form_of_their_kind",
        "entry <late run>, a prompt_run, has a later transaction refund from platform:refunded_inference",
    ),
}


@pytest.mark.parametrize("done", DAMAGE)
def test_damage_is_found_by_exactly_its_invariant(ledger: Ledger, done: str) -> None:
    statements, invariant, named = DAMAGE[done]
    found = ledger.after(*statements)
    assert list(found) == [invariant]
    assert ledger.sql(named) in str(found[invariant])
