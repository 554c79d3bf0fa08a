"""The metrics that are read from the database at each request: every process says the same of them."""

from prometheus_client import CollectorRegistry, Gauge

from credits_core.operations import jobs
from credits_core.operations.alert_state import State
from credits_core.store.kinds import TransactionType

_UNKNOWN = float("nan")


class StateGauges:
    """The gauges of the state of ledger and jobs. What is not known is NaN."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make them in this registry, all unknown."""

        def gauge(name: str, help_text: str, label: str = "") -> Gauge:
            return Gauge(name, help_text, [label] if label else [], registry=registry)

        self._readable = gauge("promptflow_database_readable", "1 when this process could read the database, else 0.")
        self._circulation = gauge("promptflow_circulating_credits", "Credits held by all users together.")
        self._revenue = gauge("promptflow_platform_revenue_credits", "The platform's revenue so far, net of refunds.")
        self._refunded_inference = gauge(
            "promptflow_refunded_inference_credits",
            "The inference cost of refunded runs that the platform has borne so far.",
        )
        self._borne_for_creators = gauge(
            "promptflow_creator_debts_credits",
            "What the platform paid under earlier rules in refunds for creators who had spent their share.",
        )
        self._owed = gauge(
            "promptflow_owed_credits",
            "What users owe now, for refunded shares that were spent and for purchases whose money went back.",
        )
        self._received = gauge(
            "promptflow_received_credits", "Credits received so far in the whole ledger, by type.", "type"
        )
        self._audit_ok = gauge(
            "promptflow_last_audit_ok",
            "1 when every invariant held in the last audit, and in the last one that checked everything, else 0.",
        )
        self._audit_age = gauge("promptflow_last_audit_age_seconds", "Seconds since the last audit ended.")
        self._whole_audit_age = gauge(
            "promptflow_last_whole_audit_age_seconds", "Seconds since the last audit that checked everything ended."
        )
        self._clean_audit_age = gauge(
            "promptflow_last_clean_audit_age_seconds",
            "Seconds since the last clean audit, or clean audit of everything while the last of those found something; "
            "before the first, since the first job.",
        )
        self._seal_number = gauge("promptflow_newest_seal_number", "The number of the newest seal.")
        self._seal_age = gauge("promptflow_newest_seal_age_seconds", "Seconds since the newest seal was made.")
        self._seal_lag = gauge("promptflow_seal_lag_seconds", "The age of the oldest entry that no seal covers.")
        self._unsealed = gauge("promptflow_unsealed_entries", "Journal entries that no seal covers yet.")
        self._leader = gauge("promptflow_has_job_leader", "1 when a process runs the jobs, else 0.")
        self._job_ok = gauge("promptflow_job_ok", "1 when the job's last run went well, else 0.", "name")
        self._job_good_age = gauge(
            "promptflow_job_good_age_seconds",
            "Seconds since the job's last good run; before the first, since the first job.",
            "name",
        )
        self._job_failures = gauge(
            "promptflow_job_failures_in_a_row", "How often the job failed since its last good run.", "name"
        )
        self._findings = gauge("promptflow_findings_waiting", "Findings about credits that nobody has looked at.")
        self.forget()

    def forget(self) -> None:
        """The database cannot be read: nothing is known."""
        self._readable.set(0)
        for gauge in (
            *(self._circulation, self._revenue, self._refunded_inference, self._borne_for_creators, self._owed),
            *(self._audit_ok, self._audit_age, self._whole_audit_age, self._clean_audit_age, self._seal_number),
            *(self._seal_age, self._seal_lag, self._unsealed, self._leader, self._findings),
            *(self._received.labels(type_.value) for type_ in TransactionType),
            *(
                of_job.labels(name)
                for of_job in (self._job_ok, self._job_good_age, self._job_failures)
                for name in jobs.NAMES
            ),
        ):
            gauge.set(_UNKNOWN)

    def show(self, state: State) -> None:
        """Take what was read."""
        money = state.money
        self._readable.set(1)
        self._circulation.set(money.circulating_credits)
        self._revenue.set(money.revenue_credits)
        self._refunded_inference.set(money.refunded_inference_credits)
        self._borne_for_creators.set(money.borne_for_creators_credits)
        self._owed.set(money.owed_credits)
        for type_, credits in money.moved_credits.items():
            self._received.labels(type_).set(credits)
        self._audit_ok.set(_known(state.audit_ok))
        self._audit_age.set(_known(state.audit_age_seconds))
        self._whole_audit_age.set(_known(state.whole_audit_age_seconds))
        self._clean_audit_age.set(_known(state.clean_audit_age_seconds))
        self._seal_number.set(_known(state.seal_number))
        self._seal_age.set(_known(state.seal_age_seconds))
        self._seal_lag.set(state.seal_lag_seconds)
        self._unsealed.set(state.unsealed_entries)
        self._leader.set(state.has_leader)
        for job in state.jobs:
            self._job_ok.labels(job.name).set(_known(job.is_ok))
            self._job_good_age.labels(job.name).set(_known(job.good_age_seconds))
            self._job_failures.labels(job.name).set(job.failures_in_a_row)
        self._findings.set(state.findings_waiting)


def _known(number: int | None) -> float:
    return _UNKNOWN if number is None else number
