"""Damage to refunds in parts: each part is worked out again from what its entry moved."""

from collections.abc import Iterator

import pytest

from credits_core.pricing.quote import PriceBook
from tests.support import damage
from tests.support.damage import Ledger, set_transaction


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("parts"), book) as ledger:
        yield ledger


def _set_part(entry: str, change: str) -> str:
    return f"UPDATE partial_refunds SET {change} WHERE id = <{entry}>"


EXACT, ONCE = "partial_refunds_are_exact", "refunds_reverse_once"
# What was done, the invariants that report it, and what the sentence of the first names.
DAMAGE: dict[str, tuple[list[str], list[str], str]] = {
    "a creator gives back one credit too many, and the platform one too few": (
        [
            set_transaction("part of other", 1, "amount_credits = -192, balance_after_credits = 1089"),
            set_transaction("part of other", 2, "amount_credits = -48"),
        ],
        [EXACT],
        "refund <part of other> of entry <other fee run> moves -192 of wim as creator_payment, but -191 are due",
    ),
    "the inference bears a credit of the platform's income": (
        [
            set_transaction("part of fee run", 2, "amount_credits = -80"),
            set_transaction("part of fee run", 3, "amount_credits = -101"),
        ],
        [EXACT],
        "refund <part of fee run> of entry <fee run> moves -101 of platform:refunded_inference as refund, but -100",
    ),
    "the platform pays a share that the creator gives back": (
        [
            set_transaction("part of other", 1, "amount_credits = -100, balance_after_credits = 1181"),
            damage.add_transaction("part of other", 4, "platform:revenue", "refund", -91),
        ],
        [EXACT],
        "refund <part of other> of entry <other fee run> moves -100 of wim as creator_payment, but -191 are due",
    ),
    "a part names another share of the fee": (
        [_set_part("part of fee run", "fee_credits = 401, share_credits = 320")],
        [EXACT],
        "names 401 of the fee and 320 of the share, but its part is 400 and 319",
    ),
    "a part is longer than what was refunded": (
        [_set_part("part of other", "refunded_credits = 310, through_credits = 310")],
        [EXACT],
        "refund <part of other> of entry <other fee run> moves 300 of vic as refund, but 310 are due",
    ),
    "a part is of another entry": (
        [_set_part("part of other", "original_id = <late run>")],
        [EXACT],
        "refund <part of other> of entry <late run> is a partial_refund after 300 of 300",
    ),
    "a part is of no run": (
        [_set_part("part of other", "original_id = <late grant>")],
        [EXACT],
        "entry <late grant> was refunded in parts, but is no run and no unlock",
    ),
    "parts are numbered with a gap": (
        [_set_part("rest of fee run", "number = 7")],
        [EXACT],
        "refund <rest of fee run> of entry <fee run> does not follow the part before it",
    ),
    "a part says that more was refunded before it": (
        [_set_part("second part", "through_credits = 901")],
        [EXACT],
        "refund <second part> of entry <fee run> does not follow the part before it",
    ),
    "a part loses its row": (
        ["DELETE FROM partial_refunds WHERE id = <part of other>"],
        [EXACT],
        "refund <part of other> is a part of no entry",
    ),
    "the rest loses its row": (
        ["DELETE FROM partial_refunds WHERE id = <rest of fee run>"],
        [EXACT, ONCE],
        "refund <rest of fee run> is of entry <fee run>, but is not its last part",
    ),
    "the rest is said to leave something": (
        ["UPDATE journal_entries SET type = 'partial_refund', refunds_entry_id = NULL WHERE id = <rest of fee run>"],
        [EXACT],
        "refund <rest of fee run> of entry <fee run> is a partial_refund after 1251 of 1251",
    ),
    "a part is said to leave nothing": (
        ["UPDATE journal_entries SET type = 'refund', refunds_entry_id = <late run> WHERE id = <part of other>"],
        [EXACT],
        "refund <part of other> of entry <other fee run> is a refund after 300 of 1251",
    ),
    "more is refunded after the rest": (
        [
            "UPDATE journal_entries SET refunds_entry_id = <other fee run> WHERE id = <rest of fee run>",
        ],
        [EXACT],
        "refund <rest of fee run> of entry <fee run> is a refund after 1251 of 1251",
    ),
    "the provider is said to have given back a part": (
        ["UPDATE refunds SET provider_refunded = TRUE WHERE entry_id = <part of other>"],
        [EXACT],
        "moves -60 of platform:refunded_inference as refund, but 0 are due",
    ),
    "the rule of a part is deleted": (
        ["DELETE FROM refunds WHERE entry_id = <part of other>"],
        ["refunds_have_a_rule"],
        "refund <part of other> has no recorded rule",
    ),
    "a grant has a part": (
        ["INSERT INTO partial_refunds VALUES (<late grant>, <late run>, 1, 300, 300, 0, 0)"],
        [EXACT],
        "refund <late grant> of entry <late run> is a grant after 300 of 300",
    ),
}


def test_the_ledger_to_be_damaged_has_parts_and_is_clean(ledger: Ledger) -> None:
    assert ledger.after() == {}
    assert ledger.after(since=ledger.since) == {}


@pytest.mark.parametrize("done", DAMAGE)
def test_damage_to_a_part_is_found(ledger: Ledger, done: str) -> None:
    statements, invariants, named = DAMAGE[done]
    found = ledger.after(*statements)
    assert set(invariants) <= found.keys()
    assert ledger.sql(named) in str(found[invariants[0]])
    assert invariants[0] in ledger.after(*statements, since=ledger.since)
