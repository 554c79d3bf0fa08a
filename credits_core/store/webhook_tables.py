"""The tables of what other systems are told: endpoints, deliveries, events that are no entries, and low balances.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base
from credits_core.store.kinds import DeliveryState, EventKind
from credits_core.values.credits import MAX_CREDITS

_KIND_KNOWN = " OR ".join(f"kind = '{kind.value}'" for kind in EventKind)
_STATE_KNOWN = " OR ".join(f"state = '{state.value}'" for state in DeliveryState)
_WAITING, _HEAD = text("state = 'waiting'"), text("next_at_us IS NOT NULL")


class WebhookEndpoint(Base):
    """An address that is told of events. `events` are their kinds, separated by commas.

    `after_entry_id`, `after_event_id` and `after_activation_id` say how far the endpoint's deliveries were made. While
    a secret is being replaced, `old_secret` signs as well until `old_until_us`. `failing_since_us` is when a delivery
    failed after which none succeeded. A row is never deleted.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("(old_secret IS NULL) = (old_until_us IS NULL)", name="old_secret_has_end"),
        CheckConstraint("(disabled_at_us IS NULL) = (disabled_because IS NULL)", name="disabled_for_a_reason"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    address: Mapped[str] = mapped_column(String(500))
    events: Mapped[str] = mapped_column(String(200))
    secret: Mapped[str] = mapped_column(String(80))
    old_secret: Mapped[str | None] = mapped_column(String(80))
    old_until_us: Mapped[int | None] = mapped_column(BigInteger)
    after_entry_id: Mapped[int] = mapped_column(BigInteger)
    after_event_id: Mapped[int] = mapped_column(BigInteger)
    after_activation_id: Mapped[int] = mapped_column(BigInteger)
    failing_since_us: Mapped[int | None] = mapped_column(BigInteger)
    disabled_at_us: Mapped[int | None] = mapped_column(BigInteger)
    disabled_because: Mapped[str | None] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(ID)
    created_at_us: Mapped[int] = mapped_column(BigInteger)
    removed_at_us: Mapped[int | None] = mapped_column(BigInteger)


class WebhookDelivery(Base):
    """One event on its way to one endpoint. `body` is what is sent, word for word, at every try.

    `next_at_us` is when it is tried next; null while an earlier event of the same user has to go first, and when
    nothing is tried any more. So at most one delivery of a user to an endpoint has it, which keeps them in order.
    `status` and `answer` are those of the last try. The user is empty for what concerns everybody.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint(_KIND_KNOWN, name="kind_known"),
        CheckConstraint(_STATE_KNOWN, name="state_known"),
        CheckConstraint("next_at_us IS NULL OR state = 'waiting'", name="only_waiting_is_tried"),
        UniqueConstraint("endpoint_id", "event_id", name="uq_webhook_deliveries_event_id"),
        Index(
            "ix_webhook_deliveries_waiting",
            "endpoint_id",
            "user_id",
            "id",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "uq_webhook_deliveries_head",
            "endpoint_id",
            "user_id",
            unique=True,
            sqlite_where=_HEAD,
            postgresql_where=_HEAD,
        ),
        Index("ix_webhook_deliveries_due", "endpoint_id", "next_at_us", sqlite_where=_HEAD, postgresql_where=_HEAD),
        Index("ix_webhook_deliveries_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(KEY, ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str] = mapped_column(ID)
    body: Mapped[str] = mapped_column(Text)
    made_at_us: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int] = mapped_column(Integer)
    next_at_us: Mapped[int | None] = mapped_column(BigInteger)
    tried_at_us: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[str | None] = mapped_column(Text)


class WebhookHeldUser(Base):
    """A user of whom so many events wait at an endpoint that no more deliveries are made; the journal has what follows.

    Of entries after `after_entry_id` and events after `after_event_id` none is made. The row is deleted once all are.
    """

    __tablename__ = "webhook_held_users"
    __table_args__ = ({"sqlite_with_rowid": False},)

    endpoint_id: Mapped[int] = mapped_column(
        KEY, ForeignKey("webhook_endpoints.id"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[str] = mapped_column(ID, primary_key=True)
    after_entry_id: Mapped[int] = mapped_column(BigInteger)
    after_event_id: Mapped[int] = mapped_column(BigInteger)


class WebhookEvent(Base):
    """An event that is no entry, such as a low balance: written in the unit of work that causes it. Never changed.

    `about` names what happened, so that nobody is told of it twice. `content` is the event's data, as JSON.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (
        CheckConstraint(_KIND_KNOWN, name="kind_known"),
        Index("ix_webhook_events_user_id", "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str] = mapped_column(ID)
    about: Mapped[str] = mapped_column(String(200), unique=True)
    content: Mapped[str] = mapped_column(Text)
    happened_at_us: Mapped[int] = mapped_column(BigInteger)


class LowBalanceLevel(Base):
    """A level of a balance below which one wants to be told. An empty user stands for all without levels of their own.

    Entries up to `after_entry_id` were there before the level.
    """

    __tablename__ = "low_balance_levels"
    __table_args__ = (
        CheckConstraint(f"level_credits BETWEEN 1 AND {MAX_CREDITS}", name="level_in_bounds"),
        {"sqlite_with_rowid": False},
    )

    user_id: Mapped[str] = mapped_column(ID, primary_key=True)
    level_credits: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    after_entry_id: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(ID)
    set_at_us: Mapped[int] = mapped_column(BigInteger)


class LowBalanceProgress(Base):
    """One row: up to which entry balances were looked at, and which event the operators were told last.

    After `failed_tries` tries in a row that no address took, null for none, they are told again at `next_try_at_us`.
    """

    __tablename__ = "low_balance_progress"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigInteger)
    told_event_id: Mapped[int] = mapped_column(BigInteger)
    failed_tries: Mapped[int | None] = mapped_column(Integer)
    next_try_at_us: Mapped[int | None] = mapped_column(BigInteger)
