"""The screen Payouts, and what Creators says of them: propose, approve, pay, report, and why somebody is not paid."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from credits_core.values.roles import PersonRole
from tests.support import paying_out
from tests.support.acting import actor_as, signed_in
from tests.support.page_driver import as_read, button_labels, click, downloads, metrics, open_page, table
from tests.support.plain_sql import scalar

PAYOUTS, CREATORS = "money/payouts.py", "explore/creator_earnings.py"
EARLIER = datetime.now(UTC) - timedelta(days=30)


def test_an_empty_ledger_says_what_comes_first(ledger: Engine) -> None:
    page = open_page(PAYOUTS)
    assert [one.title for one in page.info] == ["No cycle yet"]
    assert [one.title for one in open_page(PAYOUTS, view="Preview").info] == ["Nothing that was earned is left"]
    assert scalar(ledger, "SELECT count(*) FROM payout_cycles") == 0


def test_a_cycle_is_proposed_approved_and_paid(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)  # ben receives 16,000,000, $16.00
    paying_out.earn(ledger, 1_000_000, creator="cara", key="small", now=EARLIER)
    paying_out.pay_to(ledger)
    preview = open_page(PAYOUTS, view="Preview")
    assert metrics(preview)["Would be paid"][0] == "16,000,000"
    assert [(row["Creator"], row["Result"]) for row in table(preview)] == [
        ("ben", "Would be paid"),
        ("cara", "Below threshold"),
    ]
    click(open_page(PAYOUTS), "Propose a cycle")
    assert scalar(ledger, "SELECT amount_credits FROM payouts WHERE creator_id = 'ben'") == 16_000_000
    page = open_page(PAYOUTS, cycle="1")
    click(page, "Approve and pay 1 creator")
    assert scalar(ledger, "SELECT count(*) FROM payout_approvals") == 1
    paying_out.carry_out(ledger, datetime.now(UTC))
    page = open_page(PAYOUTS, cycle="1")
    assert metrics(page)["State"][0] == "Done"
    assert "Approve and pay 1 creator" not in button_labels(page)


def test_a_bank_reports_what_became_of_a_transfer(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    creator = open_page(CREATORS, creator="ben")
    creator.text_input(key="payouts:iban:ben").set_value(paying_out.IBAN)
    creator.text_input(key="payouts:holder:ben").set_value("Ben Example")
    click(creator, "Save")
    assert scalar(ledger, "SELECT address FROM payout_terms") == paying_out.IBAN
    click(open_page(PAYOUTS), "Propose a cycle")
    paying_out.approve(ledger)
    paying_out.carry_out(ledger, datetime.now(UTC))
    page = open_page(PAYOUTS, cycle="1")
    assert "Download file 1" not in [one.label for one in page.get("download_button")]
    click(page, "Make a file of 1 transfer")
    assert scalar(ledger, "SELECT count(*) FROM payout_file_lines") == 1
    page = open_page(PAYOUTS, cycle="1")
    assert "Make a file of 1 transfer" not in button_labels(page)
    assert [one.label for one in page.get("download_button")] == ["Download file 1"]
    click(page, "Save")
    assert scalar(ledger, "SELECT kind FROM payout_reports") == "paid"
    assert metrics(open_page(CREATORS, creator="ben"))["Paid"][0] == "16,000,000"


def test_with_sign_in_a_transfer_that_failed_waits_for_another_person(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    paying_out.pay_to_bank(ledger)
    paying_out.propose(ledger, now=datetime.now(UTC))
    paying_out.approve(ledger)
    paying_out.carry_out(ledger, datetime.now(UTC))
    paying_out.hand_over(ledger)
    with signed_in(actor_as(PersonRole.FINANCE)):
        page = open_page(PAYOUTS, cycle="1")
        page.radio(key="payouts:ending:1").set_value("Failed").run()
        page.text_input(key="payouts:why:1").set_value("Account closed")
        click(page, "Save")
    assert scalar(ledger, "SELECT kind FROM proposals") == "payout_failed"
    assert scalar(ledger, "SELECT count(*) FROM payout_reports") == 0


def test_an_account_that_was_never_paid_is_pointed_out_before_the_approval(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    paying_out.pay_to(ledger)
    paying_out.propose(ledger, now=datetime.now(UTC))
    page = open_page(PAYOUTS, cycle="1")
    assert ["never paid before" in as_read(one.value) for one in page.warning] == [True]
    assert table(page)[0]["Why"] == "To acct_ben, for the first time"


def test_a_wrong_iban_is_refused_and_nothing_is_kept(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    creator = open_page(CREATORS, creator="ben")
    creator.text_input(key="payouts:iban:ben").set_value("DE89370400440532013001")
    creator.text_input(key="payouts:holder:ben").set_value("Ben Example")
    page = click(creator, "Save")
    assert "must be a valid IBAN" in "".join(f"{one.title}{one.value}" for one in [*page.error, *page.warning])
    assert scalar(ledger, "SELECT count(*) FROM payout_terms") == 0


def test_creators_says_what_waits_and_when_the_next_payday_is(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    paying_out.earn(ledger, 5_000_000, key="new", now=datetime.now(UTC))
    page = open_page(CREATORS, creator="ben")
    assert (metrics(page)["Waiting"][0], metrics(page)["Payable"][0]) == ("4,000,000", "16,000,000")
    said = as_read("\n".join(one.value for one in page.markdown))
    assert "Not paid on" in said
    assert "no account yet. $" in said


def test_creators_warns_when_the_last_payout_failed_and_nothing_was_changed_since(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    paying_out.pay_to(ledger, address="acct-closed")
    paying_out.propose(ledger, now=datetime.now(UTC))
    paying_out.approve(ledger)
    paying_out.carry_out(ledger, datetime.now(UTC))
    paying_out.propose(ledger, now=datetime.now(UTC))  # a newer cycle says nothing of what failed
    assert [one.title for one in open_page(CREATORS, creator="ben").warning] == ["The last payout failed"]
    paying_out.pay_to(ledger)
    assert [one.title for one in open_page(CREATORS, creator="ben").warning] == []


def test_with_sign_in_a_cycle_waits_for_another_person(ledger: Engine) -> None:
    paying_out.earn(ledger, 20_000_000, now=EARLIER)
    paying_out.pay_to(ledger)
    with signed_in(actor_as(PersonRole.FINANCE)):
        click(open_page(PAYOUTS), "Propose a cycle")
        page = open_page(PAYOUTS, cycle="1")
        assert "Approve and pay 1 creator" not in button_labels(page)
    assert scalar(ledger, "SELECT kind FROM proposals") == "payouts"


def test_the_monthly_statement_of_a_creator_adds_up_and_can_be_downloaded(ledger: Engine) -> None:
    now = datetime.now(UTC)
    paying_out.earn(ledger, 20_000_000, now=now)
    with downloads() as downloaded:
        page = open_page(CREATORS, creator="ben")
        content = downloaded.files[f"statement-ben-{now:%Y-%m}.csv"]()
    lines = next(found for number in range(len(page.dataframe)) if "Line" in (found := table(page, number))[0])
    assert [row["Line"] for row in lines] == [
        "Opening balance",
        "Shares of runs",
        "Shares of unlocks",
        "Paid out",
        "Balance now",
    ]
    assert [row["Credits"] for row in lines] == [0, 0, 16_000_000, 0, 16_000_000]
    assert b"Balance now,16000000,16.000000" in content
    assert b"covers the ledger up to entry" in content
