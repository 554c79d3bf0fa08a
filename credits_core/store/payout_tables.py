"""The tables of payouts: how creators are paid, what was proposed, decided and done, and what became of it.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base
from credits_core.store.kinds import DestinationKind, PayoutNews, PayoutStep, Verdict
from credits_core.values.credits import MAX_CREDITS

_KIND_KNOWN = " OR ".join(f"destination_kind = '{kind.value}'" for kind in DestinationKind)
_STEP_KNOWN = " OR ".join(f"step = '{step.value}'" for step in PayoutStep)
_NEWS_KNOWN = " OR ".join(f"kind = '{kind.value}'" for kind in PayoutNews)
_VERDICT_KNOWN = " OR ".join(f"verdict = '{verdict.value}'" for verdict in Verdict)


class PayoutTerms(Base):
    """How a creator is paid from now on, and whether payouts are paused. A creator's newest row counts. Never changed.

    `address` is the account at the gateway, or an IBAN; `holder` the name that a bank needs. Without a destination all
    three are null. `paused_because` is null unless payouts to this creator are paused.
    """

    __tablename__ = "payout_terms"
    __table_args__ = (
        CheckConstraint(_KIND_KNOWN, name="kind_known"),
        CheckConstraint("(destination_kind IS NULL) = (address IS NULL)", name="kind_has_address"),
        Index("ix_payout_terms_creator_id", "creator_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    creator_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"))
    destination_kind: Mapped[str | None] = mapped_column(String(16))
    address: Mapped[str | None] = mapped_column(String(128))
    holder: Mapped[str | None] = mapped_column(String(128))
    paused_because: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(128))
    set_at_us: Mapped[int] = mapped_column(BigInteger)


class PayoutCycle(Base):
    """A proposal to pay creators what they earned, with the rules that it was made by. Never changed.

    What was earned on `first_waiting_day` or later waits; it is counted from 1970-01-01 as day 0. `reserve_bps` of what
    does not wait is held back.
    """

    __tablename__ = "payout_cycles"
    __table_args__ = (
        CheckConstraint(
            "threshold_credits >= 0 AND waiting_days >= 0 AND reserve_bps BETWEEN 0 AND 9999", name="rules_in_bounds"
        ),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    first_waiting_day: Mapped[int] = mapped_column(Integer)
    waiting_days: Mapped[int] = mapped_column(Integer)
    threshold_credits: Mapped[int] = mapped_column(BigInteger)
    reserve_bps: Mapped[int] = mapped_column(Integer)
    actor: Mapped[str] = mapped_column(String(128))
    proposed_at_us: Mapped[int] = mapped_column(BigInteger)


class PayoutApproval(Base):
    """That a cycle was approved; its id is the cycle's. Without it nothing of the cycle is paid. Never changed."""

    __tablename__ = "payout_approvals"

    id: Mapped[int] = mapped_column(KEY, ForeignKey("payout_cycles.id"), primary_key=True, autoincrement=False)
    actor: Mapped[str] = mapped_column(String(128))
    approved_at_us: Mapped[int] = mapped_column(BigInteger)


class Payout(Base):
    """What a cycle says of one creator: whether it pays, how much, and the numbers that decided. Never changed.

    `left_credits` was earned and neither spent nor paid out; of it `waiting_credits` wait, and of the rest
    `reserved_credits` are held back; `owed_credits` are owed to the platform. `amount_credits` are paid, whole cents; 0
    with any verdict but `paid_out`.
    """

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint(_VERDICT_KNOWN, name="verdict_known"),
        CheckConstraint("(verdict = 'paid_out') = (amount_credits > 0)", name="paid_has_amount"),
        CheckConstraint("verdict <> 'paid_out' OR terms_id IS NOT NULL", name="paid_has_terms"),
        CheckConstraint(
            f"left_credits BETWEEN 0 AND {MAX_CREDITS} AND waiting_credits BETWEEN 0 AND left_credits"
            " AND reserved_credits BETWEEN 0 AND left_credits - waiting_credits AND owed_credits >= 0"
            " AND amount_credits BETWEEN 0 AND left_credits - waiting_credits - reserved_credits",
            name="credits_in_bounds",
        ),
        UniqueConstraint("cycle_id", "creator_id", name="uq_payouts_creator_id"),
        Index("ix_payouts_creator_id", "creator_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    cycle_id: Mapped[int] = mapped_column(KEY, ForeignKey("payout_cycles.id"))
    creator_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"))
    left_credits: Mapped[int] = mapped_column(BigInteger)
    waiting_credits: Mapped[int] = mapped_column(BigInteger)
    reserved_credits: Mapped[int] = mapped_column(BigInteger)
    owed_credits: Mapped[int] = mapped_column(BigInteger)
    amount_credits: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(String(16))
    terms_id: Mapped[int | None] = mapped_column(KEY, ForeignKey("payout_terms.id"))


class PayoutMove(Base):
    """What one entry did for a payout, which moved all of its credits. The row's id is its entry's. Never changed."""

    __tablename__ = "payout_moves"
    __table_args__ = (
        CheckConstraint(_STEP_KNOWN, name="step_known"),
        UniqueConstraint("payout_id", "step", name="uq_payout_moves_step"),
    )

    id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    payout_id: Mapped[int] = mapped_column(KEY, ForeignKey("payouts.id"))
    step: Mapped[str] = mapped_column(String(16))


class PayoutReport(Base):
    """What became known of a payout, each kind once. `reference` is the gateway's or the bank's. Never changed."""

    __tablename__ = "payout_reports"
    __table_args__ = (
        CheckConstraint(_NEWS_KNOWN, name="kind_known"),
        CheckConstraint("(kind <> 'failed' AND kind <> 'stopped') OR reason <> ''", name="ended_has_reason"),
        UniqueConstraint("payout_id", "kind", name="uq_payout_reports_kind"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    payout_id: Mapped[int] = mapped_column(KEY, ForeignKey("payouts.id"))
    kind: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(128))
    reported_at_us: Mapped[int] = mapped_column(BigInteger)


class PayoutFile(Base):
    """That transfers of a cycle were written into a file for the bank. Never changed."""

    __tablename__ = "payout_files"
    __table_args__ = (Index("ix_payout_files_cycle_id", "cycle_id", "id"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    cycle_id: Mapped[int] = mapped_column(KEY, ForeignKey("payout_cycles.id"))
    actor: Mapped[str] = mapped_column(String(128))
    made_at_us: Mapped[int] = mapped_column(BigInteger)


class PayoutFileLine(Base):
    """That a payout is in a file, and in this one alone. Never changed."""

    __tablename__ = "payout_file_lines"
    __table_args__ = (
        UniqueConstraint("payout_id", name="uq_payout_file_lines_payout_id"),
        Index("ix_payout_file_lines_file_id", "file_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    payout_id: Mapped[int] = mapped_column(KEY, ForeignKey("payouts.id"))
    file_id: Mapped[int] = mapped_column(KEY, ForeignKey("payout_files.id"))
