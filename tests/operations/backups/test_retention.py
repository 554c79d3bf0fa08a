"""Which backups are kept: 7 daily, 5 weekly, 12 monthly."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from credits_core.operations.backups.retention import kept

NIGHT = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)  # a Friday
MOMENTS = st.lists(
    st.integers(0, 1_000 * 86_400).map(lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    unique=True,
)


def nightly(nights: int) -> list[datetime]:
    return [NIGHT - timedelta(days=day) for day in range(nights)]


def test_after_two_years_of_nights_seven_days_five_weeks_and_twelve_months_are_left() -> None:
    days = [NIGHT - timedelta(days=day) for day in range(7)]
    # The newest of each of the last five weeks: today, and the Sundays before.
    sundays = [datetime(2026, 11, day, 3, tzinfo=UTC) for day in (22, 15, 8, 1)]
    ends = [datetime(2026, 11, 1, 3, tzinfo=UTC)]
    for _ in range(11):
        ends.append(ends[-1].replace(day=1) - timedelta(days=1))
    months = [*ends[1:]]
    assert kept(nightly(730)) == {*days, *sundays, *months}
    assert len(kept(nightly(730))) == 21  # the 22nd is one of the days, too


def test_of_a_day_the_newest_is_kept_and_of_nothing_nothing() -> None:
    assert kept([]) == set()
    assert kept([NIGHT, NIGHT + timedelta(hours=5), NIGHT + timedelta(hours=2)]) == {NIGHT + timedelta(hours=5)}


@given(MOMENTS)
def test_the_newest_stays_and_no_more_than_24_do(moments: list[datetime]) -> None:
    left = kept(moments)
    assert left <= set(moments)
    assert len(left) <= 7 + 5 + 12
    assert not moments or max(moments) in left
    for day in sorted({moment.date() for moment in moments}, reverse=True)[:7]:
        assert max(moment for moment in moments if moment.date() == day) in left


@given(MOMENTS)
def test_deleting_twice_deletes_no_more(moments: list[datetime]) -> None:
    left = kept(moments)
    assert kept(sorted(left)) == left


@given(MOMENTS, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40)))
def test_a_backup_that_is_made_later_displaces_only_as_many(moments: list[datetime], later: timedelta) -> None:
    if not moments:
        return
    new = max(moments) + later
    assert len(kept(moments) - kept([*moments, new])) <= 3  # one of each kind
