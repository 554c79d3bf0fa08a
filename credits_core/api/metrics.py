"""The metrics that Prometheus reads at /metrics.

Requests, refusals, charges, entries and moved credits are what this process did over HTTP since it started. What is
read from the database at each request is in `metrics_of_state`. Every label has its values from a closed list.
"""

from collections.abc import Callable
from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from credits_core.api.metrics_of_state import StateGauges
from credits_core.ledger.receipts import Receipt
from credits_core.operations.alert_state import State

_METHODS = frozenset(HTTPMethod)
_LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CHARGE = ("POST", "/credits/charge-prompt")
_OUTCOMES = {201: "charged", 200: "repeated", 499: "left", 503: "unavailable"}
_FIRST_FAILURE = 500


class Metrics:
    """The metrics of one API, in their own registry."""

    def __init__(self, waiting_charges: Callable[[], int]) -> None:
        """Start with every count at zero. `waiting_charges` says how many charges wait for their turn now."""
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
        self._charges = Counter("promptflow_charges", "Requests to charge a run.", ["outcome"], registry=registry)
        for outcome in (*_OUTCOMES.values(), "refused", "failed"):
            self._charges.labels(outcome)
        self._entries = Counter("promptflow_entries", "Journal entries written.", ["type"], registry=registry)
        self._moved = Counter(
            "promptflow_moved_credits",
            "Credits received by accounts, by type of transaction.",
            ["type"],
            registry=registry,
        )
        waiting = Gauge("promptflow_waiting_charges", "Charges that wait for their turn.", registry=registry)
        waiting.set_function(waiting_charges)
        self._state = StateGauges(registry)

    def answered(self, method: str, route: str, *, status: int, seconds: float, code: str) -> None:
        """Count an answered request. Unknown HTTP methods count as `other`, because anybody can make one up."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._latency.labels(route).observe(seconds)
        if code:
            self._refusals.labels(code).inc()
        if (method, route) == _CHARGE:
            otherwise = "failed" if status >= _FIRST_FAILURE else "refused"
            self._charges.labels(_OUTCOMES.get(status, otherwise)).inc()

    def written(self, receipt: Receipt) -> None:
        """Count an entry that was written now, and the credits it moved."""
        self._entries.labels(receipt.type.value).inc()
        for transaction in receipt.transactions:
            if transaction.amount_credits > 0:
                self._moved.labels(transaction.type.value).inc(transaction.amount_credits)

    def render_without_database(self) -> bytes:
        """The metrics in Prometheus' text format when the database cannot be read: what only it knows is NaN."""
        self._state.forget()
        return generate_latest(self._registry)

    def render(self, state: State) -> bytes:
        """The metrics in Prometheus' text format. What is not known, such as an audit before the first, is NaN."""
        self._state.show(state)
        return generate_latest(self._registry)
