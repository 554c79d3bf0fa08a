"""What the job for payments does: takes in what the embedded gateway has to tell, and pays what users owe."""

from functools import partial

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
    """
    yield Progress(0, 2)
    told = sandbox.tell(around.engine, now=around.clock())
    after, settled = "", 0
    while True:
        with database.read(around.engine) as connection:
            users = receiving.users_to_settle(connection, after=after, limit=_USERS_AT_ONCE, now=around.clock())
        if not users:
            break
        for user_id in users:
            yield Progress(1, 2)
            settle_one = partial(receiving.settle_again, user_id=user_id, now=around.clock(), actor=receiving.GATEWAY)
            database.write(around.engine, settle_one)
        after, settled = users[-1], settled + len(users)
    return f"{counted(told, 'event')} told, {counted(settled, 'user')} settled."
