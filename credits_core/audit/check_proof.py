"""Checks the proof that entries stand in a ledger whose head one has kept. Needs Python and nothing else.

`python check_proof.py PROOF.json --head HASH` or `--against HEAD.json`. Exit 0 when the proof holds, 1 when not.
This file stands alone on purpose: give it to whoever shall check, without the rest of the product.

How everything is hashed, so that it can be written again in any language:

- A record is a JSON array without spaces, all characters above 126 and below 32 escaped as `\\uXXXX` in lower case but
  for `\\b \\t \\n \\f \\r`, and `\\"` and `\\\\`. Numbers are whole, true and false are 1 and 0, nothing is `null`.
- An entry is `["entry", E, T, R, U, F]`: the values of its row of `journal_entries`; a list with one list for each of
  its transactions, by position; those of its run, its unlock and its refund, each `null` where there is none. `COLUMNS`
  says which values and in which order. A transaction ends with the time at which the account was opened, `null` for the
  platform's own accounts.
- A row of another table is `[table, V]`.
- Hashes are SHA-256. A leaf is the hash of the byte 0 and the record, a node that of the byte 1 and the two below it.
  The last one of an odd number goes up as it is. Without a leaf the root is the hash of nothing. (This is the tree of
  RFC 6962.)
- A seal is the hash of the byte 2 and `[FORMAT, …]` with the values that `SEAL` names, as JSON like a record. It names
  the hash of the seal before it, `previous_hash`, and `skip_hash`: that of the seal whose number is its own without the
  lowest bit that is 1. Both are empty where there is none.
- A signature is Ed25519 over the text `FORMAT HASH`.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

FORMAT = "promptflow-credits seal 1"
PROOF_FORMAT = "promptflow-credits proof 1"
STATEMENT_FORMAT = "promptflow-credits statement 1"
HASH_BYTES = 32
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "entry": (
        "id",
        "type",
        "idempotency_key",
        "request_hash",
        "actor",
        "description",
        "refunds_entry_id",
        "created_at_us",
    ),
    "transactions": (
        "position",
        "account_id",
        "type",
        "amount_credits",
        "balance_after_credits",
        "created_at_us",
        "account_created_at_us",
    ),
    "run": (
        "user_id",
        "prompt_id",
        "model_id",
        "creator_id",
        "plan_id",
        "input_tokens",
        "output_tokens",
        "run_price_credits",
        "input_usd_per_mtok",
        "output_usd_per_mtok",
        "request_usd_per_thousand",
        "inference_cost_credits",
        "creator_fee_credits",
        "platform_markup_credits",
        "total_credits",
        "creator_share_credits",
        "created_at_us",
        "usage",
        "unit_prices",
        "service_tier",
        "asked_model",
        "used_at_us",
        "price_list_id",
    ),
    "unlock": (
        "user_id",
        "flow_id",
        "creator_id",
        "plan_id",
        "unlock_fee_credits",
        "creator_share_credits",
        "created_at_us",
    ),
    "refund": ("rule", "provider_refunded"),
    # What is not said of an API key, a proposal and a hold may change later: it is recorded in `activity` and in
    # `hold_ends`.
    "activity": ("id", "kind", "subject", "detail", "actor", "happened_at_us"),
    "api_keys": ("id", "name", "role", "user_id", "key_hash", "beginning", "created_at_us", "has_numbered_requests"),
    "audit_runs": (
        *("id", "invariants", "broken_invariants", "finished_at_us", "last_entry_id", "carried", "since_entry_id"),
    ),
    "hold_ends": ("id", "hold_id", "kind", "run_entry_id"),
    "holds": (
        *("id", "user_id", "prompt_id", "model_id", "asked_model", "creator_id", "creator_fee_credits"),
        *("input_tokens", "output_tokens", "usage", "service_tier", "asked_credits", "held_credits"),
        *("plan_id", "price_list_id", "created_at_us", "expires_at_us"),
    ),
    "lot_terms": ("id", "expires_at_us"),
    "partial_refunds": (
        *("id", "original_id", "number", "refunded_credits", "through_credits", "fee_credits", "share_credits"),
    ),
    "plan_activations": ("id", "plan_id", "reason", "actor", "activated_at_us", "seal"),
    "price_list_activations": ("id", "price_list_id", "reason", "actor", "activated_at_us", "seal"),
    "payout_approvals": ("id", "actor", "approved_at_us"),
    "payout_cycles": (
        *("id", "first_waiting_day", "waiting_days", "threshold_credits", "reserve_bps", "actor", "proposed_at_us"),
    ),
    "payout_files": ("id", "cycle_id", "actor", "made_at_us"),
    "payout_file_lines": ("id", "payout_id", "file_id"),
    "payout_moves": ("id", "payout_id", "step"),
    "payout_reports": ("id", "payout_id", "kind", "reference", "reason", "actor", "reported_at_us"),
    "payout_terms": (
        *("id", "creator_id", "destination_kind", "address", "holder", "paused_because", "actor", "set_at_us"),
    ),
    "payouts": (
        *("id", "cycle_id", "creator_id", "left_credits", "waiting_credits", "reserved_credits", "owed_credits"),
        *("amount_credits", "verdict", "terms_id"),
    ),
    "purchase_events": (
        *("id", "purchase_id", "gateway", "event_id", "kind", "about", "amount_minor", "fee_minor", "note"),
        *("happened_at_us", "received_at_us", "actor"),
    ),
    "purchase_moves": ("id", "purchase_id", "step", "lot", "is_bonus", "credits"),
    "purchase_receipts": ("id", "purchase_id", "issued_at_us"),
    "purchases": (
        *("id", "user_id", "gateway", "pack_id", "price_minor", "fee_minor", "currency", "credits", "bonus_credits"),
        *("bonus_days", "plan_id", "idempotency_key", "request_hash", "actor", "created_at_us"),
    ),
    "proposals": (
        *("id", "kind", "subject", "request", "effect", "based_on", "reason", "proposed_by", "proposed_at_us"),
        "expires_at_us",
    ),
}
"""The values of each part of an entry, and of each other table, in the order in which they are hashed."""
RECORD_TABLES = (
    *("activity", "api_keys", "audit_runs", "plan_activations", "price_list_activations", "proposals"),
    *("holds", "hold_ends", "lot_terms", "purchases", "purchase_events", "purchase_moves", "purchase_receipts"),
    *("payout_terms", "payout_cycles", "payout_approvals", "payouts", "payout_moves", "payout_reports"),
    *("payout_files", "payout_file_lines"),
    "partial_refunds",
)
"""The tables whose rows follow the entries in a seal, in this order, each by its number. A seal from before a table was
there says nothing of it, and so is still checked as it was made."""
SEAL = (
    "number",
    "last_entry_id",
    "entry_count",
    "record_count",
    "records_up_to",
    "root",
    "previous_hash",
    "skip_hash",
    "sealed_at_us",
)
"""The values of a seal in the order in which they are hashed."""
_LEAF, _NODE, _SEAL = b"\x00", b"\x01", b"\x02"
Values = Mapping[str, Any]


class ProofFails(Exception):
    """The proof does not hold; the message says why."""


def _not_json(value: object) -> str:
    return f"not text and not a whole number: {value!r}"  # in a damaged database


canonical = json.JSONEncoder(separators=(",", ":"), default=_not_json).encode
"""A record as the text that is hashed."""


def leaf_hash(record: Sequence[Any]) -> bytes:
    """The hash of one record.

    >>> canonical(["activity", [1, "signed_in", "é", None]])
    '["activity",[1,"signed_in","\\\\u00e9",null]]'
    >>> leaf_hash(["activity", [1, "signed_in", "é", None]]).hex()[:16]
    'c7bb34a8ee357cf1'
    """
    return sha256(_LEAF + canonical(record).encode("ascii")).digest()


def leaf_hashes(entries: Sequence[Sequence[Any]]) -> list[bytes]:
    """The hash of each entry, in a third of the time: all are written as one text, which is then cut between them."""
    if not entries:
        return []
    between = '],["entry",['  # nowhere else: a quotation mark in a text is escaped, so that [ never stands before it
    pieces = canonical(entries)[2:-2].split(between)
    if len(pieces) != len(entries):
        return [leaf_hash(entry) for entry in entries]  # one has no row of its own, in a damaged database
    pieces[0] = pieces[0].removeprefix('"entry",[')
    return [sha256(b'\x00["entry",[' + piece.encode("ascii") + b"]").digest() for piece in pieces]


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The tree over the leaves: they themselves, the nodes above them, and so on up to the root alone."""
    tree = [list(leaves) or [sha256(b"").digest()]]
    while len(tree[-1]) > 1:
        below = tree[-1]
        above = [sha256(_NODE + below[at] + below[at + 1]).digest() for at in range(0, len(below) - 1, 2)]
        tree.append(above + below[2 * len(above) :])
    return tree


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over the leaves."""
    return levels(leaves)[-1][0]


def path_to(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes beside the way from a leaf up to the root: what has to be known to compute the root from the leaf."""
    path = []
    for level in levels(leaves)[:-1]:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        index >>= 1
    return path


def root_by_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf leads to, by the hashes beside its way up; None when they are too few or too many."""
    if not 0 <= index < count:
        return None
    reached, beside = leaf, iter(path)
    while count > 1:
        if index ^ 1 < count:
            other = next(beside, None)
            if other is None:
                return None
            reached = sha256(_NODE + (other + reached if index & 1 else reached + other)).digest()
        index, count = index >> 1, (count + 1) >> 1
    return None if next(beside, None) is not None else reached


def seal_hash(seal: Values) -> str:
    """The hash of a seal, in hexadecimal, from the values that `SEAL` names."""
    return sha256(_SEAL + canonical([FORMAT, *(seal[name] for name in SEAL)]).encode("ascii")).hexdigest()


def skipped_to(number: int) -> int:
    """The number of the seal that `skip_hash` is the hash of; 0 for none.

    >>> [skipped_to(number) for number in (1, 2, 3, 6, 12)]
    [0, 0, 2, 4, 8]
    """
    return number & (number - 1)


def way_down(head: int, to: int) -> Iterator[int]:
    """The numbers of the seals from a head down to an earlier one, of which each names the hash of the next.

    >>> [*way_down(12, 3)]
    [12, 8, 7, 6, 4, 3]
    >>> [*way_down(1_000, 512)]
    [1000, 992, 960, 896, 768, 512]
    """
    while head > to:
        yield head
        skipped = skipped_to(head)
        head = skipped if skipped >= to else head - 1
    yield head


def signed_text(seal_hash: str) -> bytes:
    """What is signed of a seal."""
    return f"{FORMAT} {seal_hash}".encode("ascii")


def named(kind: str, values: Sequence[Any] | None) -> dict[str, Any] | None:
    """The values of a part of a record by their names."""
    return None if values is None else dict(zip(COLUMNS[kind], values, strict=True))


def record_of(shown: Values) -> list[Any]:
    """The record as it is hashed, from what a proof shows with names."""

    def values(kind: str, row: Values | None) -> list[Any] | None:
        if row is None:
            return None
        if tuple(sorted(row)) != tuple(sorted(COLUMNS[kind])):
            raise ProofFails(f"the proof shows other values of the {kind} than those that are sealed")
        return [row[name] for name in COLUMNS[kind]]

    transactions = [values("transactions", row) for row in shown["transactions"]]
    parts = [values(kind, shown[kind]) for kind in ("run", "unlock", "refund")]
    return ["entry", values("entry", shown["entry"]), transactions, *parts]


def read(file: Path) -> Values:
    """The JSON object in a file.

    Raises:
        ProofFails: the file cannot be read, or holds something else.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ProofFails(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ProofFails(f"{file} is no JSON") from None
    if not isinstance(found, dict):
        raise ProofFails(f"{file} is no proof and no head: it holds no JSON object")
    return found


def check(proof: Values, head: Values) -> str:
    """One sentence that says what is proved: that the record which the proof shows is sealed by the chain of this head.

    Of a statement it says that of each entry, and that between the first and the last one none of the user is left out.
    A head has its `hash`, and its `number` where that is known.

    Raises:
        ProofFails: the proof does not hold; the message says why.
    """
    try:
        return _check_statement(proof, head) if proof["format"] == STATEMENT_FORMAT else _check(proof, head)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProofFails(f"this is no proof, or one that was cut: {error!r}") from None


def _check(proof: Values, head: Values) -> str:
    if proof["format"] != PROOF_FORMAT:
        raise ProofFails(f"this is no proof of the form {PROOF_FORMAT!r}")
    chain = proof["chain"]
    if not _is_hash(head["hash"]):
        raise ProofFails("a head's hash is 64 hexadecimal digits")
    if chain[0]["number"] != head.get("number", chain[0]["number"]):
        raise ProofFails(
            f"the proof leads to seal {chain[0]['number']}, your head is seal {head['number']}: "
            f"export it again with --head {head['number']}"
        )
    wanted = head["hash"]
    for seal, after in zip(chain, [*chain[1:], None], strict=True):
        if seal_hash(seal) != wanted:
            where = "your head" if seal is chain[0] else "the seal after it names"
            raise ProofFails(f"seal {seal['number']} does not have the hash that {where}")
        if after is not None:
            wanted = _hash_named(seal, after["number"])
    seal, shown = chain[-1], proof["record"]
    leaf, path = leaf_hash(record_of(shown)), [bytes.fromhex(beside) for beside in proof["path"]]
    root = root_by_path(leaf, proof["index"], seal["entry_count"] + seal["record_count"], path)
    if root is None or root.hex() != seal["root"]:
        raise ProofFails(f"entry {shown['entry']['id']} is not what seal {seal['number']} sealed")
    return (
        f"entry {shown['entry']['id']} is as sealed in seal {seal['number']}, "
        f"and seal {chain[0]['number']} with the hash {head['hash']} names that seal"
    )


def _check_statement(statement: Values, head: Values) -> str:
    user, proofs = statement["user"], statement["proofs"]
    last, before, balance, received, paid = 0, None, None, 0, 0
    for proof in proofs:
        _check(proof, head)
        shown = proof["record"]
        number = shown["entry"]["id"]
        moved = [row for row in shown["transactions"] if row["account_id"] == user]
        if number <= last or not moved:
            raise ProofFails(f"entry {number} is none of {user}, or does not stand after entry {last}")
        for row in moved:
            due = row["balance_after_credits"] - row["amount_credits"]
            if balance is not None and due != balance:
                raise ProofFails(f"an entry of {user} is left out between entry {last} and entry {number}")
            before = due if before is None else before
            balance = row["balance_after_credits"]
            received += max(row["amount_credits"], 0)
            paid -= min(row["amount_credits"], 0)
        last = number
    first, top = proofs[0]["record"]["entry"]["id"], proofs[0]["chain"][0]["number"]
    return (
        f"{len(proofs)} {'entry' if len(proofs) == 1 else 'entries'} of {user}, from entry {first} to entry {last}, "
        f"are as sealed, and none between is left out: {before} credits before, {received} received, {paid} paid, "
        f"{balance} after; seal {top} with the hash {head['hash']} names their seals"
    )


def _hash_named(seal: Values, number: int) -> str:
    if number == seal["number"] - 1:
        return str(seal["previous_hash"])
    if 0 < number == skipped_to(seal["number"]):
        return str(seal["skip_hash"])
    raise ProofFails(f"seal {seal['number']} does not name seal {number}")


def _is_hash(text: object) -> bool:
    return isinstance(text, str) and len(text) == 2 * HASH_BYTES and not set(text) - set("0123456789abcdef")


def main(arguments: Sequence[str]) -> int:
    """Check the proof in a file against a head, say the outcome, and return the exit code."""
    match arguments:
        case [_, "--head" | "--against", _]:
            file, kind, given = arguments
        case _:
            sys.stderr.write("use: check_proof.py PROOF.json --head HASH | --against HEAD.json\n")
            return 2
    try:
        said = check(read(Path(file)), {"hash": given} if kind == "--head" else read(Path(given)))
    except ProofFails as error:
        sys.stderr.write(f"WRONG {error}\n")
        return 1
    sys.stdout.write(f"ok    {said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
