"""The reconciliation as a CSV file: a line for each payment, refund and dispute, with both sides."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from credits_core.payments.reconciling import Compared
from credits_core.values.days import date_at
from credits_core.values.money import decimals_of
from credits_core.values.time_zones import TimeZone
from pages.parts.csv_files import Cell, csv_file

_HEADER = ("day", "happened_at", "purchase", "kind", "about", "match", "gateway", "ours", "gateway_fee", "currency")


def csv(compared: Sequence[Compared], zone: TimeZone) -> bytes:
    """The file, in the order of the gateway's time. Money is in the currency's units, with all of its digits.

    A side is empty where the fact is missing there. The day is one of the business's time zone, the moment is in UTC.
    """
    return csv_file(_HEADER, _rows(compared, zone))


def _rows(compared: Sequence[Compared], zone: TimeZone) -> Iterator[Sequence[Cell]]:
    for one in compared:
        side = one.side
        yield (
            date_at(one.happened_at, zone).isoformat(),
            one.happened_at.isoformat(),
            one.fact.purchase_id,
            one.fact.kind.value,
            one.fact.about,
            one.match.value,
            None if one.there is None else _units(one.there.amount_minor, side.currency),
            None if one.here is None else _units(one.here.amount_minor, side.currency),
            None if one.there is None else _units(one.there.fee_minor, side.currency),
            side.currency,
        )


def _units(amount_minor: int, currency: str) -> Decimal:
    return Decimal(amount_minor).scaleb(-decimals_of(currency))
