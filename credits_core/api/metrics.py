"""The metrics that Prometheus reads at /metrics.

Requests, refusals, entries and moved credits are what this process did over HTTP since it started. The credits in
circulation, the platform's revenue, the inference cost it bore for refunds, the last audit and the newest seal are read
from the database at each request.
"""

from datetime import datetime
from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import Connection

from credits_core.audit import log as audit_log
from credits_core.audit import seals
from credits_core.ledger.receipts import Receipt
from credits_core.reports import sums
from credits_core.values.days import DayRange
from credits_core.values.time_zones import TimeZone

_METHODS = frozenset(HTTPMethod)
_LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The metrics of one API, in their own registry."""

    def __init__(self) -> None:
        """Start with every count at zero."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "promptflow_requests", "Answered requests.", ["method", "route", "status"], registry=registry
        )
        self._latency = Histogram(
            "promptflow_request_duration_seconds",
            "From the request's arrival to the end of its answer.",
            ["route"],
            buckets=_LATENCY_SECONDS,
            registry=registry,
        )
        self._refusals = Counter("promptflow_refusals", "Refused requests by code.", ["code"], registry=registry)
        self._entries = Counter("promptflow_entries", "Journal entries written.", ["type"], registry=registry)
        self._moved = Counter(
            "promptflow_moved_credits",
            "Credits received by accounts, by type of transaction.",
            ["type"],
            registry=registry,
        )
        self._circulation = Gauge(
            "promptflow_circulating_credits", "Credits held by all users together.", registry=registry
        )
        self._revenue = Gauge(
            "promptflow_platform_revenue_credits", "The platform's revenue so far, net of refunds.", registry=registry
        )
        self._refunded_inference = Gauge(
            "promptflow_refunded_inference_credits",
            "The inference cost of refunded runs that the platform has borne so far.",
            registry=registry,
        )
        self._audit_ok = Gauge(
            "promptflow_last_audit_ok", "1 when every invariant held in the last audit, else 0.", registry=registry
        )
        self._audit_age = Gauge(
            "promptflow_last_audit_age_seconds", "Seconds since the last audit ended.", registry=registry
        )
        self._whole_audit_age = Gauge(
            "promptflow_last_whole_audit_age_seconds",
            "Seconds since the last audit that checked everything ended.",
            registry=registry,
        )
        self._seal_number = Gauge("promptflow_newest_seal_number", "The number of the newest seal.", registry=registry)
        self._seal_age = Gauge(
            "promptflow_newest_seal_age_seconds", "Seconds since the newest seal was made.", registry=registry
        )
        self._unsealed = Gauge(
            "promptflow_unsealed_entries", "Journal entries that no seal covers yet.", registry=registry
        )

    def answered(self, method: str, route: str, *, status: int, seconds: float, code: str) -> None:
        """Count an answered request. Unknown HTTP methods count as `other`, because anybody can make one up."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._latency.labels(route).observe(seconds)
        if code:
            self._refusals.labels(code).inc()

    def written(self, receipt: Receipt) -> None:
        """Count an entry that was written now, and the credits it moved."""
        self._entries.labels(receipt.type.value).inc()
        for transaction in receipt.transactions:
            if transaction.amount_credits > 0:
                self._moved.labels(transaction.type.value).inc(transaction.amount_credits)

    def render_without_database(self) -> bytes:
        """The metrics in Prometheus' text format when the database cannot be read: what only it knows is NaN."""
        for gauge in (
            self._circulation,
            self._revenue,
            self._refunded_inference,
            self._audit_ok,
            self._audit_age,
            self._whole_audit_age,
            self._seal_number,
            self._seal_age,
            self._unsealed,
        ):
            gauge.set(float("nan"))
        return generate_latest(self._registry)

    def render(self, connection: Connection, now: datetime, zone: TimeZone) -> bytes:
        """The metrics in Prometheus' text format. Those about the audit are NaN before the first audit. Those about
        the newest seal are NaN before the first seal.

        `zone` is the time zone whose days the daily totals have; the sums are the same by any.
        """
        totals = sums.overview(connection, DayRange(zone=zone))
        self._circulation.set(totals.circulation_credits)
        self._revenue.set(totals.platform_credits)
        self._refunded_inference.set(totals.refunded_inference_credits)
        last = audit_log.last_run(connection)
        self._audit_ok.set(float("nan") if last is None else last.ok)
        self._audit_age.set(float("nan") if last is None else (now - last.finished_at).total_seconds())
        whole = audit_log.last_run(connection, of_everything=True)
        self._whole_audit_age.set(float("nan") if whole is None else (now - whole.finished_at).total_seconds())
        seal = seals.newest(connection)
        self._seal_number.set(float("nan") if seal is None else seal.number)
        is_whole = seal is not None and seal.is_whole()  # one that was changed may hold anything
        self._seal_age.set(float("nan") if seal is None or not is_whole else (now - seal.sealed_at).total_seconds())
        self._unsealed.set(seals.unsealed(connection).entries)
        return generate_latest(self._registry)
