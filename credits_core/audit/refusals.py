"""The refusal to explain an entry that has no price."""

from credits_core.errors import CreditsError


class NotExplainable(CreditsError):
    """The entry has no price: only prompt runs and flow unlocks have one. `refunds_entry_id` is set for a refund."""

    code = "not_explainable"
    http_status = 409

    def __init__(self, entry_id: int, entry_type: str, refunds_entry_id: int | None) -> None:
        self.entry_id = entry_id
        self.entry_type = entry_type
        self.refunds_entry_id = refunds_entry_id
        kind = f"{'an' if entry_type == 'adjustment' else 'a'} {entry_type.replace('_', ' ')}"
        of = "" if refunds_entry_id is None else f" of entry {refunds_entry_id}"
        super().__init__(
            f"Entry {entry_id} is {kind}{of}; only prompt runs and flow unlocks have a price to explain. "
            f"See entry {entry_id} in the history."
        )
