"""Charges one run many times over: the requests, what they would cost, and what became of each.

Pure, except `charge_piece`, which charges through `ledger.actions` like everything else. Nothing is left to chance: the
same batch always draws the same token counts, so its price is known before it is charged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from sqlalchemy import Connection

from credits_core.bulk.pieces import for_a_while
from credits_core.bulk.refusals import ShownPriceChanged
from credits_core.errors import CreditsError
from credits_core.lab.scenario.workload import Workload
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.pricing.quote import PriceBook, Terms
from credits_core.values.credits import div_floor
from credits_core.values.roles import Actor, May

MAX_RUNS = 10_000
_LARGEST_PIECE = 100
"""How many requests are drawn for a piece. What does not fit its time is drawn again for the next one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`runs` runs of one request, counted from 1. With a workload, each has token counts drawn from it."""

    request: ChargeRequest
    runs: int
    workload: Workload | None = None

    def request_of(self, number: int) -> ChargeRequest:
        """The request of one of the runs."""
        if self.workload is None:
            return self.request
        random = Random(f"{self.request.prompt_id}:{self.workload.id}:{number}")  # noqa: S311 - not a secret
        input_tokens, output_tokens = self.workload.draw(random)
        return replace(self.request, input_tokens=input_tokens, output_tokens=output_tokens)

    def numbers_after(self, done: int) -> range:
        """The numbers of the runs that a piece is offered when the first `done` runs are done."""
        return range(done + 1, min(done + _LARGEST_PIECE, self.runs) + 1)


def run_key(key: str, number: int) -> str:
    """The idempotency key of one run of the batch that has this key.

    >>> run_key("monday", 17)
    'monday:17'
    """
    return f"{key}:{number}"


def large_percent(total_credits: int, balance_credits: int) -> int | None:
    """How many per cent of the balance a batch takes, to the nearest, when that is more than a tenth; otherwise None.

    None as well for a balance of 0, of which nothing can be taken.

    >>> large_percent(1_000, 10_000), large_percent(1_001, 10_000), large_percent(2_350, 10_000)
    (None, 10, 24)
    """
    if balance_credits == 0 or 10 * total_credits <= balance_credits:
        return None
    return div_floor(200 * total_credits + balance_credits, 2 * balance_credits)


def batch_total(batch: Batch, book: PriceBook, *, now: datetime) -> int:
    """What the whole batch would cost now, in credits.

    Raises:
        InvalidRequest, UnknownModel: as `ledger.actions.quote_prompt`.
    """
    if batch.workload is None:
        return batch.runs * actions.quote_prompt(batch.request, book, now=now).total_credits
    numbers = range(1, batch.runs + 1)
    return sum(actions.quote_prompt(batch.request_of(number), book, now=now).total_credits for number in numbers)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refusals with the same code: the first one, and how many there are."""

    first: CreditsError
    count: int = 1


def refused_with(refused: Mapping[str, Refusals], refusal: CreditsError) -> dict[str, Refusals]:
    """The refusals by their code, with one more."""
    known = refused.get(refusal.code)
    refusals = Refusals(refusal) if known is None else replace(known, count=known.count + 1)
    return {**refused, refusal.code: refusals}


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the runs of a batch so far. Sums are in credits and count only charged runs.

    The total is the sum of the three parts. Balances are the user's, before the first charged run and after the last.
    """

    charged: int = 0
    refused: Mapping[str, Refusals] = field(default_factory=dict)
    total_credits: int = 0
    inference_credits: int = 0
    creators_credits: int = 0
    platform_credits: int = 0
    cheapest_credits: int | None = None
    dearest_credits: int | None = None
    balance_before_credits: int | None = None
    balance_after_credits: int | None = None

    @property
    def refused_count(self) -> int:
        """How many runs were refused, for whatever reason."""
        return sum(refusals.count for refusals in self.refused.values())

    @property
    def runs(self) -> int:
        """How many runs were charged or refused."""
        return self.charged + self.refused_count

    def plus(self, outcomes: Iterable[Receipt | CreditsError]) -> "Summary":
        """The summary after these further runs, in their order."""
        summary = self
        for outcome in outcomes:
            summary = summary._and_refusal(outcome) if isinstance(outcome, CreditsError) else summary._and(outcome)
        return summary

    def _and_refusal(self, refusal: CreditsError) -> "Summary":
        return replace(self, refused=refused_with(self.refused, refusal))

    def _and(self, receipt: Receipt) -> "Summary":
        priced, payer = receipt.quote, receipt.transactions[0]
        assert priced is not None, "a charge has a quote"
        total_credits = priced.total_credits
        first = self.balance_before_credits is None
        return Summary(
            charged=self.charged + 1,
            refused=self.refused,
            total_credits=self.total_credits + total_credits,
            inference_credits=self.inference_credits + priced.inference_cost_credits,
            creators_credits=self.creators_credits + priced.creator_share_credits,
            platform_credits=self.platform_credits + priced.platform_markup_credits + priced.platform_share_credits,
            cheapest_credits=min(total_credits, self.cheapest_credits or total_credits),
            dearest_credits=max(total_credits, self.dearest_credits or total_credits),
            balance_before_credits=payer.balance_before_credits if first else self.balance_before_credits,
            balance_after_credits=receipt.balance_after(payer.account_id),
        )


def charge_piece(
    connection: Connection,
    batch: Batch,
    *,
    before: Summary,
    book: PriceBook,
    key: str,
    now: datetime,
    actor: Actor,
    shown: Terms | None = None,
) -> Summary:
    """Charge the next runs of a batch in the caller's unit of work, at most a hundred, as long as a piece may take.

    Returns the summary `before`, of all runs so far, with these added. Each run has its own key, `key:NUMBER`, so a run
    that was charged before is replayed: the same receipt, and nothing is charged again. `shown` is the plan and the
    price list under which somebody was shown what the batch costs.

    Raises:
        NotAllowed: the actor may charge nobody.
        ShownPriceChanged: another plan or price list is live than `shown`. None of these runs is charged.
    """
    actor.require(May.CHARGE, May.TRY)
    if shown is not None and shown != book.terms:
        raise ShownPriceChanged
    numbers = batch.numbers_after(before.runs)
    charges = [Charge(batch.request_of(number), run_key(key, number), now, actor) for number in numbers]
    return before.plus(actions.charge_prompts(connection, charges, book=book, pace=for_a_while))
