"""Names, amounts and refusals in words, ready for Markdown."""

import re
from datetime import UTC, datetime

from credits_core.access.refusals import AlreadyProposed
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger.refusals import AddedCreditsSpent, InsufficientCredits
from credits_core.plans.records import PlanStatus
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.price_words import unit_price
from credits_core.store.kinds import TransactionType
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting, Unavailable
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import Way
from credits_core.values.text import both_rounded, format_credits, format_usd

ACCOUNT_NAMES = {
    "platform:revenue": "Platform revenue",
    "platform:inference": "Inference costs",
    "platform:refunded_inference": "Inference of refunded runs",
    "platform:payments_in": "Payments in",
    "platform:grants": "Grants",
    "platform:adjustments": "Adjustments",
    "platform:expired": "Expired credits",
}
_TYPE_NAMES = {TransactionType.REVERSAL: "Reversal of a purchase"}
_STATUS_NAMES = {PlanStatus.DRAFT: "Draft", PlanStatus.IN_FORCE: "Live", PlanStatus.RETIRED: "Previously live"}

_NOT_KNOWN = (
    "The database did not answer. Click the same button again in a moment: you see whether it was done, and nothing is "
    "charged twice."
)
_NO_LINK, _NOBODY = ":color[{}]", "proposals"
_MARKS = re.compile(
    r"(?P<begins_link>(?<=[\w.+-])@(?=[\w-])|:(?=//)|(?<=www)\.)|[\\`*_{}\[\]()<>#+\-.!$|~:]", re.IGNORECASE
)
_UNIT_OF_FIELD = re.compile("_(id|credits|usd|bps)\\b")
_JOINED = re.compile("(?<=[a-z])_(?=[a-z])")


def account_name(account_id: str) -> str:
    """A platform account by its name, a user by the id, and another part of a user by both.

    >>> account_name("ada:held"), account_name("platform:expired")
    ('ada, held', 'Expired credits')
    """
    user_id, _, part = account_id.partition(":")
    return ACCOUNT_NAMES.get(account_id, f"{user_id}, {part.replace('_', ' ')}" if part else account_id)


def type_name(type_: TransactionType) -> str:
    """A transaction type in words.

    >>> type_name(TransactionType.CREATOR_PAYMENT), type_name(TransactionType.REVERSAL)
    ('Creator payment', 'Reversal of a purchase')
    """
    return _TYPE_NAMES.get(type_) or type_.value.replace("_", " ").capitalize()


def status_name(status: PlanStatus) -> str:
    """What a price plan is, in words.

    >>> status_name(PlanStatus.RETIRED)
    'Previously live'
    """
    return _STATUS_NAMES[status]


def plain(text: str) -> str:
    r"""Text that somebody typed, so that Markdown shows it as it is.

    An address would become a link, with a backslash or without one: what is looked at for links is the text around the
    marks. So its first mark is set in a colour, which is no colour in particular.

    >>> plain("costs $5 *more*"), plain("ada@example.org")
    ('costs \\$5 \\*more\\*', 'ada:color[\\@]example\\.org')
    """
    return _MARKS.sub(_escaped, text)


def _escaped(mark: re.Match[str]) -> str:
    escaped = f"\\{mark[0]}"
    return _NO_LINK.format(escaped) if mark["begins_link"] else escaped


def actor_name(recorded: str) -> str:
    """Who did something, from what is on record: a person by the address alone, a key or the command line as recorded.

    >>> actor_name("dashboard/ada@example.org"), actor_name("api/shop"), actor_name("proposals")
    ('ada@example.org', 'api/shop', 'nobody')
    """
    way, _, name = recorded.partition("/")
    if recorded == _NOBODY:
        return "nobody"
    return name if way == Way.DASHBOARD.value and name else recorded


def recorded_actor(name: str) -> str:
    """What is on record of somebody whose name `actor_name` gives, or who is named as on record.

    >>> [recorded_actor(name) for name in ("ada@example.org", "dashboard/ada@example.org", "api/shop", "nobody")]
    ['dashboard/ada@example.org', 'dashboard/ada@example.org', 'api/shop', 'proposals']
    """
    if name == "nobody":
        return _NOBODY
    return f"{Way.DASHBOARD}/{name}" if "@" in name and "/" not in name else name


def by(recorded: str) -> str:
    """The same for Markdown."""
    return plain(actor_name(recorded))


def both(credits: int) -> str:
    r"""Credits with dollars beside them, for Markdown, where a bare dollar sign would begin a formula.

    >>> both(12_345), both(1), both(28_708_818)
    ('12,345 credits (\\$0.01235)', '1 credit (\\$0.000001)', '28,708,818 credits (\\$28.71)')
    """
    return both_rounded(credits).replace("$", r"\$")


def model_price(model: Model, *, most: int | None = None) -> str:
    r"""A model's price in words, for Markdown. With `most`, only the first so many of its units, and how many more.

    >>> from datetime import date
    >>> model_price(Model("dall-e-3", "DALL·E 3", "openai", "image", RunPrice(20_000), "", date(2026, 1, 1)))
    '20,000 credits (\\$0.02) per run'
    """
    if isinstance(model.prices, RunPrice):
        return f"{both(model.prices.run_price_credits)} per run"
    said = []
    for above_input_tokens, price in model.prices.at(datetime.now(UTC)).levels():
        above = f"above {above_input_tokens:,} input tokens " if above_input_tokens else ""
        units = [unit_price(key, usd).replace("$", r"\$") for key, usd in price.usd]
        more = f", and {len(units[most:])} more" if most is not None and units[most:] else ""
        said.append(above + ", ".join(units[:most]) + more)
    return "; ".join(said[:1] if most is not None else said)


def may_have_happened(error: CreditsError) -> bool:
    """Whether it is not known, after this refusal, if what was asked for was carried out."""
    return isinstance(error, Unavailable) or (isinstance(error, DeadlinePassed) and error.may_have_happened)


def refusal_text(error: CreditsError) -> str:
    r"""A refusal in words, for Markdown: its message, with fields named as people read them, and dollars.

    >>> refusal_text(InvalidRequest("user_id", "must be 1 to 128 characters"))
    'User must be 1 to 128 characters\\.'
    >>> refusal_text(InsufficientCredits("ada", 250, 1_000))
    'ada has 250 credits (\\$0.00025), but this takes 1,000 credits (\\$0.001).'
    """
    if isinstance(error, InvalidRequest) and error.field.isupper():  # a setting
        return plain(f"{error.field} {error.problem}.")
    if isinstance(error, InvalidRequest):
        field = _UNIT_OF_FIELD.sub("", error.field).replace("_", " ").capitalize()
        return plain(f"{field} {_JOINED.sub(' ', _UNIT_OF_FIELD.sub('', error.problem))}.")
    if may_have_happened(error):
        return _NOT_KNOWN
    if isinstance(error, DeadlinePassed | TooManyWaiting):
        return "The database is busy. Nothing was changed. Try again in a moment."
    if isinstance(error, InsufficientCredits):
        numbers = f"{both(error.balance_credits)}, but this takes {both(error.required_credits)}"
        advice = f" {plain(error.advice)}" if isinstance(error, AddedCreditsSpent) else ""
        return f"{plain(error.user_id)} has {numbers}.{advice}"
    if isinstance(error, NotAllowed):  # whoever looks at the screen
        ask = f" Ask somebody with the role {' or '.join(error.whom_to_ask)}." if error.whom_to_ask else ""
        return plain(f"You may not {error.action}.{ask}")
    if isinstance(error, AlreadyProposed):
        same = f"{actor_name(error.proposed_by)} has proposed the same: see proposal {error.number}."
        return plain(f"{same} Nothing was proposed twice.")
    return plain(str(error))


def exact_dollars(credits: int) -> str:
    """The exact dollar value, for Markdown."""
    return format_usd(credits).replace("$", r"\$")


def aligned_dollars(credits: int) -> str:
    """The dollar value with six decimals, for a column of `small_table` whose points stand under each other."""
    return format_usd(credits, decimals=6).replace("$", r"\$")


def credits_and_dollars(credits: int) -> str:
    """Credits with their exact dollar value, without the unit, for a cell of `small_table`."""
    return f"{format_credits(credits)} ({exact_dollars(credits)})"
