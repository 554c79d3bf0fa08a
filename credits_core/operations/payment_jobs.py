"""What the job for payments does: takes in what the embedded gateway has to tell, and pays what users owe."""

from functools import partial

from credits_core.errors import CreditsError
from credits_core.operations.refusals import JobFailed
from credits_core.operations.surroundings import Surroundings
from credits_core.payments import receiving, sandbox
from credits_core.store import database
from credits_core.values.progress import Progress, Work
from credits_core.values.text import counted

_USERS_AT_ONCE = 200


def settle(around: Surroundings) -> Work[str]:
    """Tell what happened late, and settle users of whom something is owed or may still be frozen, one at a time.

    Credits that come back to a purchase by another way, such as the refund of a run or the end of a hold, are frozen
    or pay what is owed here.

    Raises:
        JobFailed: some were refused. All others were told and settled.
    """
    yield Progress(0, 2)
    refused: list[str] = []
    told = sandbox.tell(around.engine, now=around.clock(), if_refused=lambda one: refused.append(str(one)))
    after, settled = "", 0
    while True:
        with database.read(around.engine) as connection:
            users = receiving.users_to_settle(connection, after=after, limit=_USERS_AT_ONCE, now=around.clock())
        if not users:
            break
        for user_id in users:
            yield Progress(1, 2)
            settle_one = partial(receiving.settle_again, user_id=user_id, now=around.clock(), actor=receiving.GATEWAY)
            try:
                database.write(around.engine, settle_one)
            except CreditsError as refusal:
                if refusal.ends_all:
                    raise
                refused.append(str(refusal))
            else:
                settled += 1
        after = users[-1]
    done = f"{counted(told, 'event')} told, {counted(settled, 'user')} settled."
    if refused:
        raise JobFailed.in_part(f"{len(set(refused)):,} refused", first=refused[0], done=done)
    return done
