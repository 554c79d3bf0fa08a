"""A worked example from first purchase to last refund, every number written out, that ends with the whole audit."""

from dataclasses import replace

from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.ledger import actions
from credits_core.ledger.receipts import FlowAccess, Receipt
from credits_core.ledger.refusals import AddedCreditsSpent, InsufficientCredits
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import contradictions, refused, rows
from tests.support.world import LATER


def _balances(engine: Engine) -> dict[str, int]:
    held = rows(engine, "SELECT user_id, balance_credits FROM user_credits")
    return {str(user): int(str(credits)) for user, credits in held}


def _platform(engine: Engine) -> dict[object, int]:
    sums = rows(
        engine,
        "SELECT account_id, SUM(amount_credits) FROM credit_transactions"
        " WHERE account_id LIKE 'platform:%' GROUP BY account_id",
    )
    return {account: int(str(credits)) for account, credits in sums}


def test_a_month_on_promptflow(engine: Engine, book: PriceBook) -> None:
    # Ada buys $0.05 of credits; Ben, a creator, starts with a grant.
    world.add(engine, "ada", 50_000, key="ada-buys")
    world.add(engine, "ben", 500, source=CreditSource.GRANT, reason="Welcome", key="ben-starts")
    assert _balances(engine) == {"ada": 50_000, "ben": 500}

    # Ada runs a free prompt on GPT-4: 30,000 inference, and 10 % of that is the markup.
    gpt_4 = ChargeRequest("ada", "essay", "gpt-4", expected_total_credits=33_000)
    world.charge(engine, gpt_4, key="ada-essay")
    assert _balances(engine) == {"ada": 17_000, "ben": 500}
    assert _platform(engine) == {
        "platform:payments_in": -50_000,
        "platform:grants": -500,
        "platform:inference": 30_000,
        "platform:revenue": 3_000,
    }

    # Again she cannot: it takes 33,000. The same click on the first one shows its receipt once more.
    with refused(engine, InsufficientCredits):
        world.charge(engine, gpt_4, key="ada-essay-2")
    assert world.charge(engine, gpt_4, key="ada-essay").replayed

    # She runs Ben's prompt by the token: 1,020 × 2.5 + 129 × 10 = 3,840, with a fee of 1,001, of which Ben gets 800.
    tokens = ChargeRequest("ada", "summarise", "openai/gpt-4o", "ben", 1_001, 1_020, 129)
    ben_run = world.charge(engine, tokens, key="ada-summary")
    assert _balances(engine) == {"ada": 17_000 - 4_841, "ben": 500 + 800}

    # She unlocks Ben's flow for 2,999 (2,399 for Ben), and clicks a second time. Ben need not pay for it.
    flow = UnlockRequest("ada", "report-flow", "ben", 2_999)
    bought = world.unlock(engine, flow, key="ada-unlocks").receipt
    assert bought is not None
    assert world.unlock(engine, flow, key="ada-unlocks-again").access is FlowAccess.UNLOCKED_BEFORE
    assert world.unlock(engine, replace(flow, user_id="ben"), key="ben-unlocks").access is FlowAccess.OWN_FLOW
    assert _balances(engine) == {"ada": 12_159 - 2_999, "ben": 1_300 + 2_399}

    # Ben runs his own prompt on Haiku, 250 + 1,001, of which 800 come back. Then a batch: three at 300, one for Cleo.
    world.charge(engine, world.run_by("ben", world.HAIKU_WITH_FEE), key="ben-tries")
    batch = [Charge(world.run_by("ben"), f"ben-{number}", LATER, TESTER) for number in range(3)]
    batch.append(Charge(world.run_by("cleo"), "cleo-0", LATER, TESTER))
    outcomes = database.write(engine, lambda connection: actions.charge_prompts(connection, batch, book=book))
    assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, True, True, False]
    assert _balances(engine) == {"ada": 9_160, "ben": 3_699 - 1_251 + 800 - 3 * 300}

    # Ben spends nearly all of it: 2,348 - 2,000 = 348 are left. The daily totals catch up half way through.
    world.unlock(engine, UnlockRequest("ben", "other-flow", "dora", 2_000), key="ben-buys")
    daily_totals.catch_up(engine)
    assert _balances(engine) == {"ada": 9_160, "ben": 348, "dora": 1_600}

    # Ada's unlock is refunded: Ben gives back the 348 he has, the platform bears 2,399 - 348 = 2,051.
    refunded = world.refund(engine, bought.entry_id, key="refund-flow", now=LATER)
    assert [(moved.account_id, moved.amount_credits) for moved in refunded.transactions] == [
        ("ada", 2_999),
        ("ben", -348),
        ("platform:revenue", -2_051),
        ("platform:revenue", -600),
    ]
    # So is her run, whose share of 800 Ben does not have either, and then the welcome grant cannot be taken back.
    # What the run cost stays a cost: the provider is paid for it. PromptFlow bears 3,840 + 201 + the 800 of Ben.
    run_back = world.refund(engine, ben_run.entry_id, key="refund-run", now=LATER)
    assert [(moved.account_id, moved.type, moved.amount_credits) for moved in run_back.transactions] == [
        ("ada", "refund", 4_841),
        ("platform:revenue", "refund", -800),
        ("platform:revenue", "platform_revenue", -201),
        ("platform:refunded_inference", "refund", -3_840),
    ]
    with refused(engine, AddedCreditsSpent):
        world.refund(engine, 2, key="refund-grant")
    assert _balances(engine) == {"ada": 9_160 + 2_999 + 4_841, "ben": 0, "dora": 1_600}

    # Prices change; Ada unlocks the flow again. What was charged before stays what it was.
    again = world.unlock(engine, flow, key="ada-unlocks-later")
    assert again.access is FlowAccess.PAID_NOW
    later = world.charge(engine, world.HAIKU, key="ada-later", book=world.dearer_book())

    # For one more run at the same prices the provider gives its 400 back, so nobody bears them.
    more = world.charge(engine, world.HAIKU, key="ada-once-more", book=world.dearer_book())
    assert later.received_by("platform:inference") == more.received_by("platform:inference") == 400
    book_now = world.dearer_book()
    world.refund(engine, more.entry_id, provider_refunded=True, key="refund-more", book=book_now, now=LATER)

    # Half of her essay was unusable: 10,000 of its 33,000 go back. Of the 30,000 inference, 30/33 of them: 9,090.
    essay = world.charge(engine, gpt_4, key="ada-essay", book=book_now)
    part = world.refund(engine, essay.entry_id, amount_credits=10_000, key="refund-essay", book=book_now, now=LATER)
    assert [(moved.account_id, moved.type, moved.amount_credits) for moved in part.transactions] == [
        ("ada", "refund", 10_000),
        ("platform:revenue", "platform_revenue", -910),
        ("platform:refunded_inference", "refund", -9_090),
    ]

    assert _balances(engine) == {"ada": 17_000 - 2_999 - 600 + 10_000, "ben": 2_399, "dora": 1_600}
    assert _platform(engine) == {
        "platform:payments_in": -50_000,
        "platform:grants": -500,
        # GPT-4, the run by the token although it was refunded, Ben's own run, his batch and the dearer run
        "platform:inference": 30_000 + 3_840 + 250 + 3 * 250 + 400,
        "platform:refunded_inference": -3_840 - 9_090,
        # Markups 3,000, 3 × 50 and 200; fees 201 + 400 + 600 (the first unlock's 600 and the run's 201 went back),
        # less what the platform bore for Ben: 2,051 and 800; and less its part of the essay
        "platform:revenue": 3_000 + 3 * 50 + 200 + 201 + 400 + 600 - 2_051 - 800 - 910,
    }
    assert sum(_platform(engine).values()) + 23_401 + 2_399 + 1_600 == 0
    _audit_is_clean(engine)
    daily_totals.catch_up(engine)
    _audit_is_clean(engine)


def _audit_is_clean(engine: Engine) -> None:
    assert contradictions(engine) == []
    findings = invariants.check(engine, world.dearer_book().plans)
    assert [str(finding) for finding in findings if not finding.ok] == []
    assert len(findings) >= 9
    unchecked = {finding.invariant for finding in findings if finding.checked == 0}
    assert unchecked == {
        "every hold ends once, as it was made",
        "every live price list is as it was made live",
        "every lot follows from the journal",
        "every payout follows from its cycle",
        "every part of a user is the sum of its transactions",
        "every purchase follows from its payments",
        "every run has the price of its list",
        "nobody has spent more than a limit",
        "people, keys and proposals are as the record of changes says",
        "the chain of seals holds",
    }
