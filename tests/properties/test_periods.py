"""Months, days and durations against the standard library's calendar."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftjobs.periods import (
    Period,
    from_unix,
    iso,
    month,
    month_of,
    parse_duration,
    parse_instant,
    parse_period,
    parse_whole_seconds,
)

NOW = datetime(2027, 6, 1, tzinfo=UTC)
years = st.integers(1, 9998)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001


@given(years, st.integers(1, 12))
def test_a_month_is_as_long_as_the_calendar_says_and_meets_the_next(year: int, number: int) -> None:
    this = month(year, number)
    assert (this.end - this.start).days == calendar.monthrange(year, number)[1]
    assert month_of(this.end).start == this.end
    assert month_of(this.end - timedelta(microseconds=1)) == this


@given(instants)
def test_every_instant_is_in_exactly_its_utc_month(instant: datetime) -> None:
    held = month_of(instant)
    assert instant in held
    assert (held.start.year, held.start.month) == (
        instant.astimezone(UTC).year,
        instant.astimezone(UTC).month,
    )
    assert instant not in month_of(held.end)
    assert held.start in held
    assert held.end not in held


def test_a_local_new_year_can_be_in_last_years_utc_month() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert month_of(datetime(2027, 1, 1, 8, tzinfo=tokyo)) == month(2026, 12)


@given(st.dates(date(1, 1, 1), date(9998, 12, 31)))
def test_a_written_day_month_and_year_hold_each_other(day: date) -> None:
    a_day, a_month, a_year = (parse_period(day.isoformat()[:length], now=NOW) for length in (10, 7, 4))
    assert a_day.start.date() == day
    assert a_day.end - a_day.start == timedelta(days=1)
    assert a_month == month(day.year, day.month)
    assert a_month.start <= a_day.start < a_day.end <= a_month.end
    assert a_year.start <= a_month.start < a_month.end <= a_year.end
    assert (a_year.end - a_year.start).days == 365 + calendar.isleap(day.year)


@given(instants)
def test_last_is_the_month_that_ends_where_this_one_starts(now: datetime) -> None:
    assert parse_period("last", now=now).end == month_of(now).start


@given(st.text() | st.from_regex(r"[0-9]{4}(-[0-9]{2}){0,2}", fullmatch=True))
@example("9999-12-31")
@example("9999")
@example("0000-01")
@example("20261005")
@example("2026-W40-1")
def test_a_text_names_a_period_or_is_refused(text: str) -> None:
    try:
        period = parse_period(text, now=NOW)
    except ValueError:
        return
    assert text == "last" or period.start.isoformat().startswith(text)


def test_a_period_is_aware_utc_and_does_not_end_before_it_starts() -> None:
    tokyo = timezone(timedelta(hours=9))
    for start, end in [
        (NOW.replace(tzinfo=None), NOW),
        (NOW, NOW.replace(tzinfo=None)),
        (NOW.replace(tzinfo=tokyo), NOW),
        (NOW, NOW - timedelta(microseconds=1)),
    ]:
        with pytest.raises(ValueError, match="a period"):
            Period(start, end)
    assert NOW not in Period(NOW, NOW)


@example("1.1", "h")
@given(st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,9})?", fullmatch=True), st.sampled_from("smhd"))
def test_a_duration_is_its_number_times_its_unit(number: str, unit: str) -> None:
    exact = Fraction(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert parse_duration(number + unit) == pytest.approx(float(exact), rel=1e-12)
    if exact.denominator == 1:
        assert parse_whole_seconds(number + unit) == exact
    else:
        with pytest.raises(ValueError, match="whole number of seconds"):
            parse_whole_seconds(number + unit)


@pytest.mark.parametrize(
    "text", ["", "s", "90", "-1s", "1 h", "1e3s", "1w", ".5h", "1.h", "infs", "9" * 400 + "d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 4_102_444_800))
def test_unix_seconds_survive_the_iso_form(seconds: int) -> None:
    text = iso(from_unix(seconds))
    assert text.endswith("Z")
    assert datetime.fromisoformat(text).timestamp() == seconds


@given(instants)
def test_the_iso_form_does_not_depend_on_the_zone(instant: datetime) -> None:
    assert iso(instant) == iso(instant.astimezone(UTC))


@given(instants)
def test_an_iso_time_names_its_instant_and_a_day_its_first(instant: datetime) -> None:
    # Zones of whole minutes only: that is the form that ISO times have.
    assert parse_instant(instant.isoformat()) == instant
    utc = instant.astimezone(UTC)
    assert parse_instant(utc.replace(tzinfo=None).isoformat(sep=" ")) == utc
    assert parse_instant(utc.date().isoformat()) == datetime(utc.year, utc.month, utc.day, tzinfo=UTC)
    assert utc.year < 1000 or parse_instant(iso(utc)) == utc.replace(microsecond=0)
    assert parse_instant(instant.isoformat()).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-13-01", "2026-02-30", "20261005", "2026-W41-1", "2026-10", "2026-10-05T"),
        *("2026-10-05 25:00", "2026-10-05T12:00:00+25:00", "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00"),
        *(" 2026-10-05", "٢٠٢٦-10-05"),
    ],
)
def test_what_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2026-10-05"):
        parse_instant(text)
