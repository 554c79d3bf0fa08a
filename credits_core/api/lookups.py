"""The routes that answer a caller's two questions: what became of an entry, and whether a user may use a flow."""

from typing import Annotated

from fastapi import APIRouter, Query, Security
from sqlalchemy import Connection

from credits_core.access import callers
from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import Caller, Shared, VisibleUser, bearer
from credits_core.api.fields import EntryNumber, FlowId
from credits_core.api.lookup_answers import EntryAnswer, FlowAccessAnswer
from credits_core.api.problems import READING, documented
from credits_core.api.refusals import Forbidden
from credits_core.ledger import accounts, entries, entry_lots, flows
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import UnknownEntry, UnknownUser

_MOST_TRANSACTIONS = 50
"""More than any entry has."""

lookups_router = APIRouter(tags=["credits"], dependencies=[Security(bearer)], route_class=ClearRoute)


@lookups_router.get("/credits/entries/{entry_id}", responses=documented(*READING, UnknownEntry))
async def entry(entry_id: EntryNumber, caller: Caller, shared: Shared) -> EntryAnswer:
    """One entry of the ledger: who did it, whose credits it moved, and whether it was refunded.

    A key with the role user sees the entries in which its user takes part, and of these only the user's own
    transactions. Any other entry is as unknown to it as one that does not exist.
    """
    wanted = TransactionFilter(entry_id=entry_id, account_id=caller.user_id)

    def look_up(connection: Connection) -> EntryAnswer:
        visible = accounts.transactions(connection, wanted, limit=_MOST_TRANSACTIONS)
        if not visible:
            raise UnknownEntry(entry_id)
        receipt = entries.receipt(connection, entry_id, plans={})
        user_id = caller.user_id or entry_lots.payer_of(receipt)
        return EntryAnswer.of(
            receipt,
            visible[::-1],
            lots=[] if user_id is None else entry_lots.lots_of(connection, entry_id, user_id),
            run=entries.run_of_entry(connection, entry_id),
            unlock=entries.unlock_of_entry(connection, entry_id),
            idempotency_key=callers.key_as_sent(connection, caller, receipt.idempotency_key),
            for_user_id=caller.user_id,
        )

    return await shared.read(look_up)


@lookups_router.get("/credits/flow-access", responses=documented(*READING, Forbidden, UnknownUser))
async def flow_access(user_id: VisibleUser, flow_id: Annotated[FlowId, Query()], shared: Shared) -> FlowAccessAnswer:
    """Whether a user may use a flow now, and since which entry, or why not."""
    found = await shared.read(lambda connection: flows.access_now(connection, user_id, flow_id))
    return FlowAccessAnswer.of(user_id, flow_id, found)
