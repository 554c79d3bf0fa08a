"""Reads price plans from TOML, naming every problem with its line, and writes them as TOML. Changes no file.

`data/price_plans/` holds the plans that come with the project, one file each, named after the plan.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS

MAX_TIERS = 50
"""Most tiers of a plan: as many as a person can read and the inspector can check at once."""
MAX_BPS = 1_000_000
"""Largest markup and purchase fee: 10,000 %."""
MAX_PLAN_ID = 64
"""Longest id of a plan, in characters."""
_PLAN_ID = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_PLAN_ID - 1}}}")
_TIER_KEYS = ("below_credits", "markup_bps", "markup_credits")


class _Problems:
    """Problems of a document, each with its line where the line is known."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.found: list[tuple[int, str]] = []

    def add(self, message: str, *, key: str = "", tier: int = 0) -> None:
        """Note a problem with a key, a tier (from 1), or a key of a tier."""
        self.found.append((self._line(key, tier), message))

    def sentences(self) -> list[str]:
        """The problems in the order of their lines; those without a line come last."""
        in_order = sorted(self.found, key=lambda problem: problem[0] or len(self._lines) + 1)
        return [f"line {line}: {message}" if line else message for line, message in in_order]

    def _line(self, key: str, tier: int) -> int:
        first, last = 0, len(self._lines)
        if tier:
            tables = [number for number, line in enumerate(self._lines) if line.strip().startswith("[[tiers]]")]
            if not tables:
                return self._inline_tier(tier)
            first = tables[tier - 1]
            last = tables[tier] if tier < len(tables) else last
            if not key:
                return first + 1
        form = re.compile(rf'\s*["\']?{re.escape(key)}["\']?\s*[=.]')
        for number in range(first, last):
            if key and form.match(self._lines[number]):
                return number + 1
        return first + 1 if tier else 0

    def _inline_tier(self, tier: int) -> int:
        opened = 0
        for number, line in enumerate(self._lines, 1):
            opened += line.count("{")
            if opened >= tier:
                return number
        return 0


def parse_price_plan(text: str, source: str = "price plan") -> PricePlan:
    """The plan in a TOML text: the fields of `PricePlan` and `[[tiers]]`, the last of them without a bound.

    Raises:
        DataFileInvalid: not TOML, an unknown or missing key, bounds that do not rise, a share over 100 %, a negative
            rate, or a last tier that is missing or bounded. Every problem is listed with its line; the order of the
            bounds is checked only when every tier can be read.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for a number too long or a nesting too deep
        raise DataFileInvalid(source, [f"is not TOML: {error}"]) from None
    problems = _Problems(text)
    for key in sorted(document.keys() - _READERS.keys() - {"tiers"}):
        problems.add(f"has an unknown key {key!r}; known are {', '.join([*_READERS, 'tiers'])}", key=key)
    given: dict[str, Any] = {}
    for key, (is_valid, must_be, default) in _READERS.items():
        entry = document.get(key, default)
        given[key] = entry
        if key not in document and default is None:
            problems.add(f"{key} is missing; it must be {must_be}")
        elif not is_valid(entry):
            problems.add(f"{key} must be {must_be}, not {entry!r}", key=key)
    rows = document.get("tiers")
    tiers: tuple[MarkupTier, ...] = ()
    if isinstance(rows, list) and len(rows) > MAX_TIERS:
        problems.add(f"has {len(rows):,} tiers, but a plan can have at most {MAX_TIERS}", tier=MAX_TIERS + 1)
    elif isinstance(rows, list) and rows:
        before = len(problems.found)
        tiers = tuple(_parse_tier(number, row, problems) for number, row in enumerate(rows, 1))
        if len(problems.found) == before:
            _check_bounds(tiers, problems)
    else:
        problems.add("needs at least one [[tiers]]", key="tiers")
    if problems.found:
        raise DataFileInvalid(source, problems.sentences())
    modes = {
        "tier_mode": TierMode(given["tier_mode"]),
        "markup_rounding": Rounding(given["markup_rounding"]),
        "creator_share_rounding": Rounding(given["creator_share_rounding"]),
    }
    return PricePlan(**given | modes, tiers=tiers)


def load_price_plan(path: Path) -> PricePlan:
    """The plan of a file.

    Raises:
        DataFileInvalid: the file cannot be read or parsed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {getattr(error, 'strerror', error)}"]) from None
    return parse_price_plan(text, str(path))


def checked(plan: PricePlan) -> PricePlan:
    """The plan itself, when it passes the checks of plan files, so that screens and files have the same rules.

    Raises:
        InvalidRequest: the plan breaks a rule; every problem is named.
    """
    try:
        return parse_price_plan(price_plan_toml(plan))
    except DataFileInvalid as error:
        problems = [re.sub("^line [0-9]+: ", "", problem) for problem in error.problems]
        raise InvalidRequest("plan", "; ".join(problems)) from None


def price_plan_toml(plan: PricePlan) -> str:
    """The plan as TOML that `parse_price_plan` can read. Most keys with their default are left out."""
    lines = []
    for key, (_, _, default) in _READERS.items():
        entry = getattr(plan, key)
        if key in {"id", "creator_share_bps", "tier_mode", "cap_down"} or entry != default:
            lines.append(f"{key} = {json.dumps(entry)}")  # JSON's text of such a value is TOML's as well
    for tier in plan.tiers:
        lines += ["", "[[tiers]]"]
        lines += [f"{key} = {entry}" for key in _TIER_KEYS if (entry := getattr(tier, key)) is not None]
    return "\n".join(lines) + "\n"


def _is_whole(number: object, maximum: int, *, minimum: int = 0) -> bool:
    return type(number) is int and minimum <= number <= maximum


def _is_flag(entry: object) -> bool:
    return type(entry) is bool


def _is_rounding(entry: object) -> bool:
    return isinstance(entry, str) and entry in set(Rounding)


# The keys of a plan: the check, the check in words, and the default (None: the key is required).
_READERS: dict[str, tuple[Any, str, Any]] = {
    "id": (
        lambda entry: isinstance(entry, str) and _PLAN_ID.fullmatch(entry) is not None,
        f"1 to {MAX_PLAN_ID} lower-case letters, digits or . _ -",
        None,
    ),
    "creator_share_bps": (
        lambda entry: _is_whole(entry, BPS_PER_WHOLE),
        "a whole number from 0 to 10,000 (100 %)",
        None,
    ),
    "tier_mode": (lambda entry: isinstance(entry, str) and entry in set(TierMode), '"volume" or "graduated"', "volume"),
    "cap_down": (_is_flag, "true or false", False),
    "markup_rounding": (_is_rounding, '"down" or "up"', "down"),
    "creator_share_rounding": (_is_rounding, '"down" or "up"', "down"),
    "minimum_platform_income_credits": (
        lambda entry: _is_whole(entry, MAX_CREDITS),
        "a whole number of credits, 0 or more",
        0,
    ),
    "minimum_platform_income_is_markup": (_is_flag, "true or false", False),
    "purchase_fee_bps": (
        lambda entry: _is_whole(entry, MAX_BPS),
        f"a whole number from 0 to {MAX_BPS:,} (10,000 %)",
        0,
    ),
    "hold_overrun_bps": (
        lambda entry: _is_whole(entry, BPS_PER_WHOLE),
        "a whole number from 0 to 10,000 (100 %)",
        0,
    ),
}


def _parse_tier(number: int, row: object, problems: _Problems) -> MarkupTier:
    if not isinstance(row, dict):
        problems.add(f"tier {number} must be a table, not {row!r}", key="tiers")
        return MarkupTier(below_credits=None, markup_bps=None, markup_credits=None)
    for key in sorted(row.keys() - set(_TIER_KEYS)):
        problems.add(
            f"tier {number} has an unknown key {key!r}; known are {', '.join(_TIER_KEYS)}", key=key, tier=number
        )
    below_credits, markup_bps, markup_credits = (row.get(key) for key in _TIER_KEYS)
    if below_credits is not None and not _is_whole(below_credits, MAX_CREDITS, minimum=1):
        problems.add(
            f"tier {number}: below_credits must be a positive whole number, not {below_credits!r}",
            key="below_credits",
            tier=number,
        )
    if (markup_bps is None) == (markup_credits is None):
        problems.add(f"tier {number} needs exactly one of markup_bps and markup_credits", tier=number)
    elif markup_bps is not None and not _is_whole(markup_bps, MAX_BPS):
        problems.add(
            f"tier {number}: markup_bps must be a whole number from 0 to {MAX_BPS:,} (10,000 %), not {markup_bps!r}",
            key="markup_bps",
            tier=number,
        )
    elif markup_credits is not None and not _is_whole(markup_credits, MAX_CREDITS):
        problems.add(
            f"tier {number}: markup_credits must be a whole number, 0 or more, not {markup_credits!r}",
            key="markup_credits",
            tier=number,
        )
    return MarkupTier(below_credits=below_credits, markup_bps=markup_bps, markup_credits=markup_credits)


def _check_bounds(tiers: tuple[MarkupTier, ...], problems: _Problems) -> None:
    previous_credits = 0
    for number, tier in enumerate(tiers, 1):
        is_last = number == len(tiers)
        if tier.below_credits is None:
            if not is_last:
                problems.add(f"tier {number} has no below_credits, which only the last tier may leave out", tier=number)
        elif is_last:
            problems.add(
                f"tier {number} is the last and must have no below_credits, so that every cost has a tier",
                key="below_credits",
                tier=number,
            )
        elif tier.below_credits <= previous_credits:
            problems.add(
                f"tier {number}: below_credits must be above {previous_credits:,}, the bound before it",
                key="below_credits",
                tier=number,
            )
        previous_credits = tier.below_credits or previous_credits
