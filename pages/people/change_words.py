"""A change on record in plain words for Markdown, and the screen that shows what was changed."""

from collections.abc import Mapping

from credits_core.reports.changes import ListedChange
from credits_core.store.activity import Change
from pages.parts.words import both, plain

_SAID: Mapping[Change, str] = {
    Change.KEY_MADE: "Made the API key **{subject}** ({role})",
    Change.KEY_REPLACED: "Replaced the API key **{subject}** ({role})",
    Change.KEY_REVOKED: "Revoked the API key **{subject}** ({role})",
    Change.PLAN_SAVED: "Saved the draft **{subject}**, revision {revision}",
    Change.PLAN_DISCARDED: "Discarded the draft **{subject}**, revision {revision}",
    Change.PLAN_MADE_LIVE: "Made the plan **{subject}** live in place of {in_place_of}",
    Change.PRICES_SAVED: "Saved price list **{subject}**: {source}",
    Change.PRICES_MADE_LIVE: "Made price list **{subject}** live in place of {in_place_of}: {source}",
    Change.PERSON_ADDED: "Let **{subject}** sign in",
    Change.ROLES_CHANGED: "Changed the roles of **{subject}**",
    Change.PERSON_REMOVED: "Removed **{subject}**, who cannot sign in any more",
    Change.TEST_USER_ADDED: "Made **{subject}** a test user",
    Change.TEST_USER_REMOVED: "Made **{subject}** a test user no more",
    Change.SIGNED_IN: "Signed in",
    Change.SIGNED_OUT: "Signed out",
    Change.PROPOSED: "Made proposal **{subject}**: {what}",
    Change.APPROVED: "Approved proposal **{subject}**: {what}",
    Change.DECLINED: "Declined proposal **{subject}**: {what}",
    Change.WITHDRAWN: "Proposal **{subject}** was withdrawn: {what}",
    Change.EXPIRED: "Proposal **{subject}** expired: {what}",
    Change.EXPORTED: "Downloaded **{subject}**",
    Change.FINDING_LOOKED_AT: "Looked at finding **{subject}** about {about}",
    Change.RESTORED: "Restored the backup **{subject}** of {entries} entries",
    Change.REFUND_ASKED: "Asked {gateway} to refund {amount} of purchase **{subject}**",
    Change.WEBHOOK_ADDED: "Added the endpoint **{subject}**: {address}",
    Change.WEBHOOK_REMOVED: "Removed the endpoint **{subject}**",
    Change.WEBHOOK_ENABLED: "Enabled the endpoint **{subject}** again",
    Change.WEBHOOK_SECRET_REPLACED: "Replaced the secret of the endpoint **{subject}**",
    Change.DELIVERY_SENT_AGAIN: "Sent the dead letter **{subject}** again",
    Change.LOW_BALANCE_LEVEL_SET: "Set a low-balance level of {level_credits} credits for **{subject}**",
    Change.SPENDING_LIMIT_SET: "Let **{subject}** spend at most {limit_credits} credits a {period}",
    Change.SPENDING_LIMIT_REMOVED: "Removed the limit of {limit_credits} credits a {period} for **{subject}**",
    Change.LOW_BALANCE_LEVEL_REMOVED: "Removed the low-balance level of {level_credits} credits for **{subject}**",
    Change.DEMO_STARTED_OVER: "Started the demo over. Deleted: {deleted}",
}
_UNSAID = {"key", "keys", "change", "of", "amount_credits"}
_LISTS = {"roles", "before"}
_PLACES: Mapping[Change, tuple[str, str]] = {
    Change.KEY_MADE: ("build/api_console.py", ""),
    Change.KEY_REPLACED: ("build/api_console.py", ""),
    Change.KEY_REVOKED: ("build/api_console.py", ""),
    Change.PLAN_SAVED: ("plans/pricing_lab.py", "plan"),
    Change.PLAN_MADE_LIVE: ("plans/pricing_lab.py", "plan"),
    Change.PRICES_SAVED: ("models/models.py", ""),
    Change.PRICES_MADE_LIVE: ("models/models.py", ""),
    Change.PERSON_ADDED: ("people/people.py", ""),
    Change.ROLES_CHANGED: ("people/people.py", ""),
    Change.PERSON_REMOVED: ("people/people.py", ""),
    Change.PROPOSED: ("people/approvals.py", "proposal"),
    Change.APPROVED: ("people/approvals.py", "proposal"),
    Change.DECLINED: ("people/approvals.py", "proposal"),
    Change.WITHDRAWN: ("people/approvals.py", "proposal"),
    Change.EXPIRED: ("people/approvals.py", "proposal"),
    Change.FINDING_LOOKED_AT: ("operations/watching.py", ""),
    Change.WEBHOOK_ADDED: ("build/webhooks.py", ""),
    Change.WEBHOOK_REMOVED: ("build/webhooks.py", ""),
    Change.WEBHOOK_ENABLED: ("build/webhooks.py", ""),
    Change.WEBHOOK_SECRET_REPLACED: ("build/webhooks.py", ""),
    Change.DELIVERY_SENT_AGAIN: ("build/webhooks.py", ""),
    Change.LOW_BALANCE_LEVEL_SET: ("build/webhooks.py", ""),
    Change.LOW_BALANCE_LEVEL_REMOVED: ("build/webhooks.py", ""),
    Change.REFUND_ASKED: ("money/buy_credits.py", "purchase"),
    Change.TEST_USER_ADDED: ("explore/balances.py", "user"),
    Change.TEST_USER_REMOVED: ("explore/balances.py", "user"),
}


def kind_name(kind: Change | str) -> str:
    """A kind of change, as one chooses it.

    >>> kind_name(Change.PLAN_MADE_LIVE)
    'Plan made live'
    """
    return str(kind).replace("_", " ").capitalize()


def sentence(one: ListedChange) -> str:
    r"""What was changed, for Markdown.

    >>> from credits_core.values.days import from_microseconds
    >>> detail = {"revision": 2, "reason": "Autumn"}
    >>> sentence(ListedChange(1, Change.PLAN_SAVED, "plan-2", detail, "ada", from_microseconds(0)))
    'Saved the draft **plan\\-2**, revision 2'
    """
    said = _SAID.get(one.kind, "{kind} **{subject}**") if isinstance(one.kind, Change) else "{kind} **{subject}**"
    return said.format_map(_Filled(one))


def rest(one: ListedChange) -> str:
    """What else is on record about the change, for Markdown; nothing where the sentence says all."""
    said = _SAID.get(one.kind, "") if isinstance(one.kind, Change) else ""
    left = {
        name: kept
        for name, kept in one.detail.items()
        if kept is not None and name not in _UNSAID and f"{{{name}}}" not in said
    }
    return " · ".join(
        f"{name.replace('_', ' ').capitalize()}: {plain(_listed(name, kept))}" for name, kept in left.items()
    )


def _listed(name: str, kept: str | int) -> str:
    return str(kept).replace(",", ", ") if name in _LISTS else str(kept)


def _what(detail: Mapping[str, str | int | None]) -> str:
    """What a proposal would change. Older records do not have the amount."""
    change, of = (plain(str(detail.get(name, "–"))) for name in ("change", "of"))
    amount_credits = detail.get("amount_credits")
    return f"add {both(amount_credits)} to {of}" if isinstance(amount_credits, int) else f"{change} ({of})"


def place(one: ListedChange) -> tuple[str, dict[str, str]] | None:
    """The screen that shows what was changed, with what its link chooses there; None where there is none."""
    if not isinstance(one.kind, Change) or one.kind not in _PLACES:
        return None
    file, box = _PLACES[one.kind]
    return file, {box: one.subject} if box else {}


class _Filled(dict[str, str]):
    """What a sentence is filled with. What an earlier or later version did not write down is a dash."""

    def __init__(self, one: ListedChange) -> None:
        kept = {name: plain(str(text)) for name, text in one.detail.items() if text is not None}
        super().__init__(kept | {"subject": plain(one.subject), "kind": kind_name(one.kind), "what": _what(one.detail)})

    def __missing__(self, name: str) -> str:
        return "–"
