"""The screen Approvals, and the screens that propose instead of doing, each as somebody who signed in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from credits_core.access import proposals
from credits_core.access.proposals import ProposalRecord
from credits_core.access.proposed import AddCredits, MakePlanLive, ProposedChange
from credits_core.errors import CreditsError
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.roles import Actor, PersonRole, person
from pages.parts import who
from pages.people import cards
from tests.support import page_driver, plain_sql, world
from tests.support.page_driver import as_read, button_labels, choose, click, links, open_page
from tests.support.plain_sql import balance, rows, scalar

FIRST = person("first@example.org", frozenset({PersonRole.ADMIN}))
SECOND = person("second@example.org", frozenset({PersonRole.ADMIN}))
VIEWER = person("viewer@example.org", frozenset({PersonRole.VIEWER}))
GRANT = AddCredits("ada", 20_000_000, CreditSource.GRANT)
OTHER = replace(world.price_book().plan, id="other", creator_share_bps=7_000)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """The dashboard's ledger, in which ada holds 1,000,000 credits. No test may leave it wrong."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []


def propose(engine: Engine, change: ProposedChange = GRANT, *, actor: Actor = FIRST) -> int:
    now = datetime.now(UTC)
    return database.write(
        engine, lambda connection: proposals.propose(connection, change, reason="A prize", actor=actor, now=now).number
    )


def sign_in(monkeypatch: pytest.MonkeyPatch, actor: Actor) -> None:
    monkeypatch.setattr(who, "actor", lambda: actor)


def said(page: page_driver.AppTest) -> str:
    return as_read("\n".join(one.value for one in [*page.markdown, *page.caption, *page.info]))


def sidebar(page: page_driver.AppTest) -> list[str]:
    return [one.value for one in page.sidebar.get("page_link")]


def test_where_nothing_waits_the_screen_says_what_would_stand_there(ledger: Engine) -> None:
    page = open_page("people/approvals.py")
    assert [one.value for one in page.header] == []
    assert "When somebody proposes to make a plan live" in said(page)


def test_another_approves_and_the_credits_are_there(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    number = propose(ledger)
    sign_in(monkeypatch, SECOND)
    page = open_page("people/approvals.py")
    assert [one.value for one in page.header] == ["For you to decide"]
    for words in (
        "Add 20,000,000 credits ($20.00) to ada",
        "Reason: A prize",
        "ada has 1,000,000 credits ($1.00), then 21,000,000 credits ($21.00).",
    ):
        assert words in said(page)
    click(page, "Approve")
    assert balance(ledger, "ada") == 21_000_000
    assert f"Approved proposal {number}: Add 20,000,000 credits ($20.00) to ada." in said(page)
    assert [one.value for one in page.header] == ["Decided"]
    (row,) = page_driver.table(page)
    assert (row["Outcome"], row["Decided by"]) == ("Approved", "second@example.org")


def test_what_it_does_is_computed_now_and_what_it_did_then_is_kept(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose(ledger)
    world.charge(ledger, world.HAIKU, key="run")
    sign_in(monkeypatch, SECOND)
    page = open_page("people/approvals.py")
    assert "ada has 999,700 credits ($0.9997), then 20,999,700 credits ($20.9997)." in said(page)
    assert [one.label for one in page.expander] == ["What it did when it was proposed"]


@pytest.mark.parametrize(
    ("actor", "buttons", "words"),
    [
        (FIRST, {"Withdraw this"}, "You proposed this, so another person must approve it."),
        (VIEWER, set(), "Somebody with the role finance or admin can approve this."),
        (SECOND, {"Approve", "Decline this"}, ", by first@example.org"),
    ],
)
def test_each_sees_what_they_may_do(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, actor: Actor, buttons: set[str], words: str
) -> None:
    propose(ledger)
    sign_in(monkeypatch, actor)
    page = open_page("people/approvals.py")
    assert {"Approve", "Decline this", "Withdraw this"} & set(button_labels(page)) == buttons
    assert words in said(page)


def test_another_declines_with_a_reason(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    number = propose(ledger)
    sign_in(monkeypatch, SECOND)
    page = choose(open_page("people/approvals.py"), **{f"Decline:reason:{number}": "Too much"})
    click(page, "Decline this")
    assert rows(ledger, "SELECT state, decision_reason FROM proposals") == [("declined", "Too much")]
    assert balance(ledger, "ada") == 1_000_000


def test_what_has_changed_meanwhile_is_not_carried_out_and_says_so(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save_draft(ledger, OTHER)
    propose(ledger, MakePlanLive("other", 1))
    sign_in(monkeypatch, SECOND)
    page = open_page("people/approvals.py")
    world.put_in_force(ledger, replace(OTHER, id="third"))
    click(page, "Approve")
    assert "is withdrawn, so nothing was changed. What it was based on has changed." in said(page)
    assert scalar(ledger, "SELECT plan_id FROM plan_activations ORDER BY id DESC LIMIT 1") == "third"


def test_a_decided_proposal_opens_in_full_by_its_address(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    number = propose(ledger)
    sign_in(monkeypatch, SECOND)
    click(open_page("people/approvals.py"), "Approve")
    page = open_page("people/approvals.py", proposal=str(number))
    assert "Approved by second@example.org" in said(page)
    assert "Entry 2" in links(page)


def test_the_entry_of_an_approved_proposal_says_who_proposed_it(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = propose(ledger)
    sign_in(monkeypatch, SECOND)
    click(open_page("people/approvals.py"), "Approve")
    page = open_page("explore/history.py", entry="2")
    assert "Proposed by first@example.org, approved by second@example.org." in said(page)
    assert f"Proposal {number}" in links(page)
    assert "Proposed by" not in said(open_page("explore/history.py", entry="1"))


@pytest.mark.parametrize(("actor", "said_in_the_sidebar"), [(SECOND, True), (FIRST, False), (VIEWER, False)])
def test_every_screen_says_what_waits_for_whoever_may_decide(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, actor: Actor, said_in_the_sidebar: bool
) -> None:
    number = propose(ledger)
    sign_in(monkeypatch, actor)
    assert ("1 proposal to decide" in sidebar(open_page("explore/balances.py"))) is said_in_the_sidebar
    if said_in_the_sidebar:
        click(open_page("people/approvals.py", proposal=str(number)), "Approve")
        assert "1 proposal to decide" not in sidebar(open_page("explore/balances.py"))


def test_many_that_wait_stand_on_pages_and_only_those_shown_are_computed(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [propose(ledger, replace(GRANT, amount_credits=20_000_000 + one)) for one in range(12)]
    computed, effect_now = [], cards.effect_now

    def counted(connection: Connection, one: ProposalRecord) -> list[str] | CreditsError:
        computed.append(one.number)
        return effect_now(connection, one)

    monkeypatch.setattr(cards, "effect_now", counted)
    sign_in(monkeypatch, SECOND)
    page = open_page("people/approvals.py")
    assert button_labels(page).count("Approve") == 10
    assert computed == numbers[:1:-1]
    page = click(page, "Next")
    assert button_labels(page).count("Approve") == 2
    page = open_page("people/approvals.py", proposal=str(numbers[0]))
    assert f"Proposal {numbers[0]}, made" in said(page)  # though it is not one of the first ten
    assert button_labels(page).count("Approve") == 11


def test_one_of_another_version_is_a_card_that_nobody_decides(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    propose(ledger)
    with ledger.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO proposals (kind, subject, request, effect, based_on, reason, proposed_by, proposed_at_us,"
            " expires_at_us, state) VALUES ('pay_out', 'ada', '{}', '[]', 'x', 'Why', 'dashboard/new@example.org', 1,"
            " 9000000000000000, 'open')"
        )
    sign_in(monkeypatch, SECOND)
    page = open_page("people/approvals.py")
    assert "Something that this version does not know: ada" in said(page)
    assert "Another version made this. It ends by itself." in said(page)
    assert button_labels(page).count("Approve") == 1
    click(page, "Approve")
    assert balance(ledger, "ada") == 21_000_000


@pytest.mark.parametrize("number", ["99", "-1", "x", "9" * 40])
def test_an_address_of_no_proposal_shows_the_lists(ledger: Engine, number: str) -> None:
    page = open_page("people/approvals.py", proposal=number)
    assert "When somebody proposes" in said(page)


# --- screens that propose -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "button"), [(10_000_000, "Add credits"), (10_000_001, "Propose")])
def test_many_credits_are_proposed_and_not_added(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, amount: int, button: str
) -> None:
    sign_in(monkeypatch, FIRST)
    page = choose(open_page("act/add_credits.py", user="ada"), amount=amount)
    assert button in button_labels(page)
    page.get_by_key("reason").set_value("A prize")
    click(page, button)
    proposed = scalar(ledger, "SELECT COUNT(*) FROM proposals")
    assert (balance(ledger, "ada"), proposed) == ((1_000_000, 1) if button == "Propose" else (11_000_000, 0))
    if button == "Propose":
        assert "Proposed to add 10,000,001 credits ($10.00) to ada. It waits for another person" in said(page)


def test_credits_for_an_id_like_anothers_are_proposed_once_the_proposer_says_it_is_somebody_else(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, FIRST)
    page = choose(open_page("act/add_credits.py", user="ADA"), amount=20_000_000)
    page.get_by_key("reason").set_value("A prize")
    click(page, "Propose")
    assert scalar(ledger, "SELECT COUNT(*) FROM proposals") == 0
    choose(page, **{"add:somebody-else:ADA": True})
    page.get_by_key("reason").set_value("A prize")
    click(page, "Propose")
    number = scalar(ledger, "SELECT id FROM proposals")
    sign_in(monkeypatch, SECOND)
    click(open_page("people/approvals.py", proposal=str(number)), "Approve")
    assert (balance(ledger, "ADA"), balance(ledger, "ada")) == (20_000_000, 1_000_000)


def test_the_operator_of_the_machine_adds_as_much_as_they_like(ledger: Engine) -> None:
    page = choose(open_page("act/add_credits.py", user="ada"), amount=20_000_000)
    click(page, "Add credits")
    assert balance(ledger, "ada") == 21_000_000


def test_a_plan_is_proposed_to_be_live(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.save_draft(ledger, OTHER)
    sign_in(monkeypatch, FIRST)
    page = click(open_page("plans/pricing_lab.py", plan="other"), "Propose to make live")
    choose(page, **{"activate:reason": "Fairer"})
    click(page, "Propose")
    assert rows(ledger, "SELECT kind, subject, reason, state FROM proposals") == [
        ("make_plan_live", "other", "Fairer", "open")
    ]
    assert scalar(ledger, "SELECT plan_id FROM plan_activations ORDER BY id DESC LIMIT 1") != "other"


def test_a_large_refund_is_proposed(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    large = world.add(ledger, "cleo", 10_000_001, key="large")
    sign_in(monkeypatch, FIRST)
    page = click(open_page("explore/history.py", entry=str(large.entry_id)), "Refund this entry")
    page.text_input(key="refund:reason").set_value("Paid twice")
    click(page, "Propose")
    assert balance(ledger, "cleo") == 10_000_001
    assert rows(ledger, "SELECT kind, subject FROM proposals") == [("refund", f"entry {large.entry_id}")]
