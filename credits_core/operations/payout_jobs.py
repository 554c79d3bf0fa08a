"""What the job for payouts does: sets aside what was approved, and sends it through the gateway."""

from functools import partial

from credits_core.errors import CreditsError
from credits_core.ledger import payout_news
from credits_core.ledger.payouts import Due
from credits_core.operations.refusals import JobFailed
from credits_core.operations.surroundings import Surroundings
from credits_core.payments import configured, paying
from credits_core.payments.destinations import Terms
from credits_core.payments.gateway import Gateway, PayoutOrder
from credits_core.payments.paying import PAYING
from credits_core.payments.payout_rules import CREDITS_PER_CENT
from credits_core.store import database
from credits_core.store.kinds import PayoutNews
from credits_core.values.credits import div_floor
from credits_core.values.progress import Progress, Work
from credits_core.values.text import counted

_AT_ONCE = 200


def pay_out(around: Surroundings) -> Work[str]:
    """Carry out every payout that was approved, one at a time. Those to bank accounts wait for their file.

    A gateway that does not answer is asked again the next time, with the same key, so nobody is paid twice.

    Raises:
        JobFailed: the gateway did not do some of them. All others are done.
    """
    set_aside = not_paid = paid = failed = 0
    while True:
        yield Progress(0, 2)
        with database.read(around.engine) as connection:
            approved = paying.to_set_aside(connection, limit=_AT_ONCE)
        if not approved:
            break
        for due in approved:
            yield Progress(0, 2)
            one = partial(paying.set_aside, due=due, zone=around.zone, now=around.clock(), actor=PAYING)
            is_done = database.write(around.engine, one)
            set_aside, not_paid = set_aside + is_done, not_paid + (not is_done)
    refused: dict[int, str] = {}
    gateway = configured.gateway(around.engine)
    while True:
        yield Progress(1, 2)
        with database.read(around.engine) as connection:
            found = paying.to_send(connection, limit=_AT_ONCE, after=max(refused, default=0))
        if not found:
            break
        for due, terms in found:
            yield Progress(1, 2)
            try:
                is_paid = _send(around, gateway, due, terms)
            except CreditsError as refusal:
                if refusal.ends_all:
                    raise
                refused[due.payout_id] = str(refusal)
            else:
                paid, failed = paid + is_paid, failed + (not is_paid)
    done = (
        f"{counted(set_aside, 'payout')} set aside, {counted(paid, 'payout')} paid, {failed:,} failed; "
        f"{not_paid:,} not covered any more or stopped."
    )
    if refused:
        raise JobFailed.in_part(f"{len(refused):,} not sent", first=next(iter(refused.values())), done=done)
    return done


def _send(around: Surroundings, gateway: Gateway, due: Due, terms: Terms) -> bool:
    """Send one payout and keep what the gateway answers. Whether it was paid."""
    assert terms.address is not None, "only what has a destination is paid out"
    amount_minor = div_floor(due.amount_credits, CREDITS_PER_CENT)
    answer = gateway.payout(PayoutOrder(due.payout_id, terms.address, amount_minor, "usd"))
    keep = partial(
        payout_news.answer,
        payout_id=due.payout_id,
        reference=answer.reference,
        failed_because=answer.failed_because,
        now=around.clock(),
        actor=PAYING,
    )
    return database.write(around.engine, keep) is PayoutNews.PAID
