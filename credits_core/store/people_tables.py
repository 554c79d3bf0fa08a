"""The tables of people: who may sign in, their sessions, what they proposed, and the record of what was changed.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base


class Person(Base):
    """Somebody who may sign in. `email` is in lower case; `roles` are names in order, separated by commas.

    The row stays when the person is removed, so that the record of what they did has a name.
    """

    __tablename__ = "people"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_folded"),)

    email: Mapped[str] = mapped_column(String(110), primary_key=True)
    roles: Mapped[str] = mapped_column(String(64))
    since_us: Mapped[int] = mapped_column(BigInteger)
    added_by: Mapped[str] = mapped_column(ID)
    removed_at_us: Mapped[int | None] = mapped_column(BigInteger)


class SignInSession(Base):
    """One sign-in at the dashboard, which ends by itself. The id is a hash of what the provider said of the sign-in."""

    __tablename__ = "sign_in_sessions"
    __table_args__ = (Index("ix_sign_in_sessions_email", "email"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    email: Mapped[str] = mapped_column(String(110))
    started_at_us: Mapped[int] = mapped_column(BigInteger)
    seen_at_us: Mapped[int] = mapped_column(BigInteger)
    ended_at_us: Mapped[int | None] = mapped_column(BigInteger)


class TrialUser(Base):
    """A test user: their credits are for trying things out. Others are test users by the prefix of their id."""

    __tablename__ = "trial_users"

    user_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"), primary_key=True)
    since_us: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(ID)


class Proposal(Base):
    """A change that a second person must approve. `request` is what would be done, `effect` what it showed, as JSON.

    Kept for ever; only an open one changes, once. `based_on` is a hash of what it was decided upon: a proposal is
    withdrawn when that has changed. `entry_id` is the entry that the approval posted, where it posted one.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        CheckConstraint(
            "state = 'open' OR state = 'approved' OR state = 'declined' OR state = 'withdrawn' OR state = 'expired'",
            name="state_known",
        ),
        CheckConstraint(
            "(state = 'open') = (decided_at_us IS NULL) AND (state <> 'open' OR decided_by IS NULL)",
            name="decided_once",
        ),
        CheckConstraint(
            "state <> 'approved' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)", name="four_eyes"
        ),
        Index("ix_proposals_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(256))
    request: Mapped[str] = mapped_column(Text)
    effect: Mapped[str] = mapped_column(Text)
    based_on: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(ID)
    proposed_at_us: Mapped[int] = mapped_column(BigInteger)
    expires_at_us: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    decided_by: Mapped[str | None] = mapped_column(ID)
    decided_at_us: Mapped[int | None] = mapped_column(BigInteger)
    decision_reason: Mapped[str | None] = mapped_column(Text)
    entry_id: Mapped[int | None] = mapped_column(KEY, ForeignKey("journal_entries.id"))


class ActivityRecord(Base):
    """One change that is not a movement of credits: keys, plans, prices, people, approvals, exports. Never changed.

    `detail` is JSON with sorted keys: what was changed, as far as it is not secret.
    """

    __tablename__ = "activity"

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    kind: Mapped[str] = mapped_column(String(48))
    subject: Mapped[str] = mapped_column(String(256))
    detail: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(ID)
    happened_at_us: Mapped[int] = mapped_column(BigInteger)
