"""The refusals to explain an entry that has nothing to calculate, to prove one, and to seal upon what was changed."""

from credits_core.errors import CreditsError


class NotExplainable(CreditsError):
    """There is nothing to calculate in the entry: it is no prompt run, no flow unlock and no refund."""

    code = "not_explainable"
    http_status = 409

    def __init__(self, entry_id: int, entry_type: str) -> None:
        self.entry_id = entry_id
        self.entry_type = entry_type
        kind = f"{'an' if entry_type == 'adjustment' else 'a'} {entry_type.replace('_', ' ')}"
        super().__init__(
            f"Entry {entry_id} is {kind}; only prompt runs, flow unlocks and refunds can be explained. "
            f"See entry {entry_id} in the history."
        )


class NotSealed(CreditsError):
    """No seal up to the head covers the entry. `head_number` is the head that was asked for, None for the newest."""

    code = "not_sealed"
    http_status = 409

    def __init__(self, entry_id: int, head_number: int | None) -> None:
        self.entry_id = entry_id
        self.head_number = head_number
        super().__init__(
            f"Entry {entry_id} is not sealed yet. Run: python -m credits_core proof seal"
            if head_number is None
            else f"No seal up to {head_number} covers entry {entry_id}. Leave --head out for the newest one."
        )


class SealDamaged(CreditsError):
    """A seal that others would be made or proved upon is not as it was made. `why` is the rest of a sentence."""

    code = "seal_damaged"
    http_status = 409

    def __init__(self, number: int, why: str) -> None:
        self.number = number
        self.why = why
        super().__init__(
            f"Seal {number} was changed: {why}. Nothing was sealed. Keep a copy of the database, "
            "then run: python -m credits_core proof verify"
        )


class BehindTheKeptHead(CreditsError):
    """The chain does not have the seal whose head is kept beside the key. `said` is what that head says against it."""

    code = "behind_the_kept_head"
    http_status = 409

    def __init__(self, said: str, file: str) -> None:
        self.said = said
        self.file = file
        super().__init__(
            f"The head in {file} does not fit: {said}. Nothing was sealed. If the database was restored from a backup, "
            "or a demo was started over, run: python -m credits_core proof seal --begin-signing"
        )
