"""The tables of seals and of what the last audit said of each invariant.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import KEY, Base


class Seal(Base):
    """A hash over the next entries and records, and over the seals before it, so that a later change shows.

    Covers the entries after the seal before it, up to `last_entry_id`, and of each other table the rows up to the
    number in `records_up_to`, a JSON object. `root` is the root of the Merkle tree over their hashes, which stand in
    `leaves`, 32 bytes each: the entries, then the records. `audit/check_proof.py` says how all of it is computed.
    `skip_hash` is the hash of an earlier seal, so that the way to an old one is short. The signature is of `hash`.
    """

    __tablename__ = "seals"
    __table_args__ = (
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("(signature IS NULL) = (key_id IS NULL)", name="signature_names_key"),
    )

    number: Mapped[int] = mapped_column(KEY, primary_key=True, autoincrement=False)
    last_entry_id: Mapped[int] = mapped_column(BigInteger)
    entry_count: Mapped[int] = mapped_column(Integer)
    record_count: Mapped[int] = mapped_column(Integer)
    records_up_to: Mapped[str] = mapped_column(Text)
    root: Mapped[str] = mapped_column(String(64))
    previous_hash: Mapped[str] = mapped_column(String(64))
    skip_hash: Mapped[str] = mapped_column(String(64))
    sealed_at_us: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(16))
    signature: Mapped[str | None] = mapped_column(String(128))
    # Last, because the columns before are read without it.
    leaves: Mapped[bytes] = mapped_column(LargeBinary)


class InvariantResult(Base):
    """What the last audit said of one invariant, for people to look at. Written anew by each audit."""

    __tablename__ = "invariant_results"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    is_ok: Mapped[bool] = mapped_column(Boolean)
    checked: Mapped[int] = mapped_column(BigInteger)
    wrong: Mapped[int] = mapped_column(BigInteger)
    first_wrong: Mapped[str] = mapped_column(Text)
    finished_at_us: Mapped[int] = mapped_column(BigInteger)
