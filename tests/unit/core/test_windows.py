"""Maintenance windows: edges of days, months and years, clocks that change, windows that meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import MaintenanceWindow
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.windows import parse_window, window_refusal

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def window(schedule="0 2 * * *", duration="1h", zone="UTC", effect="Deny", name="nightly") -> MaintenanceWindow:
    fields = {"name": name, "schedule": schedule, "duration": duration, "timeZone": zone, "effect": effect}
    return MaintenanceWindow.model_validate(fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "duration", "zone", "now", "until"),
    [
        pytest.param("0 2 * * *", "1h", "UTC", "2026-01-05T01:59:59.999", None, id="a moment before it opens"),
        pytest.param("0 2 * * *", "1h", "UTC", "2026-01-05T02:00:00", "2026-01-05T03:00", id="as it opens"),
        pytest.param("0 2 * * *", "1h", "UTC", "2026-01-05T02:59:59.999", "2026-01-05T03:00", id="a moment before"),
        pytest.param("0 2 * * *", "1h", "UTC", "2026-01-05T03:00:00", None, id="the end does not belong to it"),
        pytest.param(
            "0 2 * * *", "90s", "UTC", "2026-01-05T02:01:29", "2026-01-05T02:01:30", id="ends inside a minute"
        ),
        pytest.param("0 2 * * *", "90s", "UTC", "2026-01-05T02:01:30", None, id="over inside a minute"),
        pytest.param("30 23 * * *", "1h", "UTC", "2026-01-05T00:15", "2026-01-05T00:30", id="over midnight"),
        pytest.param("30 23 28 2 *", "1h", "UTC", "2026-03-01T00:15", "2026-03-01T00:30", id="over the end of a month"),
        pytest.param("0 23 31 12 *", "2h", "UTC", "2027-01-01T00:59", "2027-01-01T01:00", id="over the end of a year"),
        pytest.param("0 0 29 2 *", "1h", "UTC", "2028-02-29T00:30", "2028-02-29T01:00", id="on a leap day"),
        pytest.param("0 0 29 2 *", "1h", "UTC", "2027-03-01T00:30", None, id="without a leap day"),
        pytest.param("0 2 * * 1", "1h", "UTC", "2026-01-05T02:30", "2026-01-05T03:00", id="on Monday"),
        pytest.param("0 2 * * mon", "1h", "UTC", "2026-01-06T02:30", None, id="on Tuesday, not Monday"),
        pytest.param("0 2 * * *", "1h", BERLIN, "2026-01-05T01:30", "2026-01-05T02:00", id="Berlin in winter"),
        pytest.param("0 2 * * *", "1h", BERLIN, "2026-07-05T00:30", "2026-07-05T01:00", id="Berlin in summer"),
        pytest.param("0 2 * * *", "1h", BERLIN, "2026-07-05T01:30", None, id="Berlin in summer, an hour late"),
        pytest.param("0 22 * * *", "6h", NEW_YORK, "2026-01-05T03:00", "2026-01-05T09:00", id="New York, next day UTC"),
    ],
)
def test_a_deny_window_refuses_until_its_end(schedule, duration, zone, now, until):
    refusal = window_refusal([window(schedule, duration, zone)], at(now))
    assert (refusal.next_look if refusal else None) == (at(until) if until else None)


@pytest.mark.parametrize(
    ("schedule", "zone", "moments"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            {"2026-03-29T00:59": False, "2026-03-29T01:00": True, "2026-03-29T01:59": True, "2026-03-29T02:00": False},
            id="Berlin, spring: 02:30 is skipped, it opens at the change to 03:00",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            {"2026-10-25T00:29": False, "2026-10-25T00:30": True, "2026-10-25T01:29": True, "2026-10-25T02:29": True}
            | {"2026-10-25T02:30": False},
            id="Berlin, autumn: 02:30 comes twice, it opens twice and both touch",
        ),
        pytest.param(
            "0 1 * * *",
            BERLIN,
            {"2026-03-29T00:59": True, "2026-03-29T01:00": False},
            id="Berlin, spring: a window that ends at the change",
        ),
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            {"2026-03-08T06:59": False, "2026-03-08T07:00": True, "2026-03-08T07:59": True, "2026-03-08T08:00": False},
            id="New York, spring: 02:30 is skipped",
        ),
        pytest.param(
            "15 1 * * *",
            NEW_YORK,
            {"2026-11-01T05:14": False, "2026-11-01T05:15": True, "2026-11-01T06:15": True, "2026-11-01T07:14": True}
            | {"2026-11-01T07:15": False},
            id="New York, autumn: 01:15 comes twice",
        ),
        pytest.param(
            "15 0 * * *",
            "America/Havana",
            {"2026-03-08T04:59": False, "2026-03-08T05:00": True, "2026-03-08T06:00": False},
            id="Havana, spring: clocks change at midnight",
        ),
    ],
)
def test_where_clocks_change(schedule, zone, moments):
    asked = {moment: window_refusal([window(schedule, "1h", zone)], at(moment)) is not None for moment in moments}
    assert asked == moments


def test_a_duration_is_real_time_across_a_change_of_clocks():
    refusal = window_refusal([window("0 1 * * *", "3h", BERLIN)], at("2026-03-29T00:30"))
    assert refusal is not None
    assert refusal.next_look == at("2026-03-29T03:00")


@pytest.mark.parametrize(
    ("windows", "now", "until"),
    [
        pytest.param(
            [window(duration="2h"), window("0 3 * * *", "2h")], "2026-01-05T02:30", "2026-01-05T05:00", id="overlapping"
        ),
        pytest.param([window(), window("0 3 * * *")], "2026-01-05T02:30", "2026-01-05T04:00", id="touching"),
        pytest.param([window(), window("1 3 * * *")], "2026-01-05T02:30", "2026-01-05T03:00", id="a minute between"),
        pytest.param([window(duration="5h"), window("0 3 * * *")], "2026-01-05T03:30", "2026-01-05T07:00", id="inside"),
    ],
)
def test_windows_that_meet_are_one(windows, now, until):
    refusal = window_refusal(windows, at(now))
    assert refusal is not None
    assert refusal.next_look == at(until)


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(window("0 */2 * * *", "3h"), id="longer than its period"),
        pytest.param(window(duration="24h"), id="as long as its period"),
        pytest.param(window("* * * * *", "1m"), id="every minute"),
    ],
)
def test_a_window_that_never_closes_is_followed_for_a_while_and_then_looked_at_again(endless):
    now = at("2026-01-05T02:00")
    for _ in range(3):
        refusal = window_refusal([endless], now)
        assert refusal is not None
        assert refusal.next_look >= now + timedelta(minutes=15)
        now = refusal.next_look


ALLOW = window("0 9 * * 1-5", "8h", effect="Allow", name="office")


@pytest.mark.parametrize(
    ("windows", "now", "look"),
    [
        pytest.param([], "2026-01-05T12:00", None, id="no window: always"),
        pytest.param([ALLOW], "2026-01-05T09:00", None, id="inside"),
        pytest.param([ALLOW], "2026-01-05T17:00", "2026-01-06T09:00", id="as it closes"),
        pytest.param([ALLOW], "2026-01-09T18:00", "2026-01-12T09:00", id="over the weekend"),
        pytest.param([ALLOW, window("0 20 * * *", "1h", effect="Allow")], "2026-01-05T20:30", None, id="the other one"),
        pytest.param(
            [ALLOW, window("0 20 * * *", "1h", effect="Allow")], "2026-01-05T18:00", "2026-01-05T20:00", id="the nearer"
        ),
        pytest.param([ALLOW, window("0 12 * * *")], "2026-01-05T12:30", "2026-01-05T13:00", id="Deny wins"),
        pytest.param([ALLOW, window("0 12 * * *")], "2026-01-05T13:00", None, id="Allow after Deny"),
    ],
)
def test_an_allow_window_must_be_open(windows, now, look):
    refusal = window_refusal(windows, at(now))
    assert (refusal.next_look if refusal else None) == (at(look) if look else None)


def test_a_refusal_names_the_window_and_the_moment():
    refusal = window_refusal([window(zone=BERLIN)], at("2026-01-05T01:30"))
    assert refusal is not None
    assert refusal.reason is Reason.MAINTENANCE_WINDOW
    assert refusal.message == (
        "maintenance window nightly (Deny, 0 2 * * * Europe/Berlin, 1h) is open until 2026-01-05 02:00:00 UTC"
    )


@pytest.mark.parametrize(
    ("schedule", "zone", "field"),
    [
        pytest.param("60 2 * * *", "UTC", "schedule: bad minute", id="minute 60"),
        pytest.param("0 24 * * *", "UTC", "schedule: bad hour", id="hour 24"),
        pytest.param("0 0 0 * *", "UTC", "schedule: bad day-of-month", id="day 0"),
        pytest.param("0 0 1 13 *", "UTC", "schedule: bad month", id="month 13"),
        pytest.param("0 0 * * 8", "UTC", "schedule: bad day-of-week", id="weekday 8"),
        pytest.param("*/0 2 * * *", "UTC", "schedule: bad minute", id="step 0"),
        pytest.param("5-1 2 * * *", "UTC", "schedule: bad minute", id="a range backwards"),
        pytest.param("0 2 ? * *", "UTC", "schedule: bad day-of-month", id="question mark"),
        pytest.param("0 0 30 2 *", "UTC", "schedule: bad day-of-month", id="February 30"),
        pytest.param("0 2 * * *", "Europe/Belin", "timeZone: Europe/Belin", id="misspelt zone"),
        pytest.param("0 2 * * *", "Europe", "timeZone: Europe ", id="a folder of zones"),
        pytest.param("0 2 * * *", "localtime", "timeZone: localtime", id="the machine's own zone"),
        pytest.param("0 2 * * *", "CEST", "timeZone: CEST", id="a summer time's name"),
    ],
)
def test_a_window_that_cannot_be_read_is_named_with_its_field_and_refuses(schedule, zone, field):
    broken = window(schedule, zone=zone)
    with pytest.raises(SpecError, match="spec") as caught:
        parse_window(broken)
    assert f"spec.maintenanceWindows[nightly].{field}" in str(caught.value)
    assert caught.value.reason is Reason.INVALID_SPEC
    refusal = window_refusal([broken], at("2026-01-05T12:00"))
    assert refusal is not None
    assert refusal.next_look is None
    assert field in refusal.message


fields = st.text("0123456789*,/?#-LWS", min_size=1, max_size=6) | st.sampled_from(["*", "*/5", "1-3", "mon", "L"])


@given(st.lists(fields, min_size=5, max_size=5).map(" ".join), st.sampled_from(["Deny", "Allow"]))
def test_whatever_the_api_server_lets_through_is_read_or_refused(schedule, effect):
    now = at("2026-10-25T00:30")
    drawn = window(schedule, zone=BERLIN, effect=effect)
    refusal = window_refusal([drawn], now)
    try:
        times = parse_window(drawn)
    except SpecError:
        assert refusal is not None
    else:
        assert (refusal is not None) is ((times.closes_at(now) is not None) is (effect == "Deny"))


schedules = st.sampled_from(
    [
        "0 2 * * *",
        "30 2 * * *",
        "30 1,2 * * *",
        "*/20 * * * *",
        "15 */3 * * *",
        "0 0 1 * *",
        "30 2 * * 0",
        "59 23 L * *",
    ]
)
zones = st.sampled_from(["UTC", BERLIN, NEW_YORK, "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"])
changes = st.sampled_from(
    [at("2026-03-29T01:00"), at("2026-10-25T01:00"), at("2026-03-08T07:00"), at("2026-11-01T06:00")]
)
moments = st.one_of(
    st.builds(lambda near, minutes: near + timedelta(minutes=minutes), changes, st.integers(-300, 300)),
    st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: at("2025-01-01T00:00") + timedelta(minutes=minutes)),
)


@given(schedules, zones, moments, st.integers(1, 180))
def test_a_window_is_open_as_a_walk_through_the_minutes_says(schedule, zone, now, minutes):
    """Naively: did the clock show a time of the schedule, or skip one, in any minute of the last `duration`?"""
    times = parse_window(window(schedule, f"{minutes}m", zone))
    walked = [now - timedelta(minutes=back) for back in range(minutes)]
    opened = [moment for moment in walked if _shows(schedule, moment, ZoneInfo(zone))]
    expected = max(opened) + timedelta(minutes=minutes) if opened else None
    assert times.closes_at(now) == expected


def _shows(schedule: str, moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the minute that begins now shows a time of the schedule, or comes right after skipped ones that do."""
    wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    before = (moment - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None, fold=0)
    first = before if before < wall else wall - timedelta(minutes=1)
    return next(CronSim(schedule, first)) <= wall


@given(schedules, zones, moments)
def test_the_next_opening_is_the_first_moment_at_which_the_window_is_open_again(schedule, zone, now):
    times = parse_window(window(schedule, "1s", zone))
    opening = times.following(now)
    assert opening is not None
    assert opening > now
    assert times.closes_at(opening) == opening + timedelta(seconds=1)
    step = max((opening - now) / 50, timedelta(minutes=1))
    between = (now + timedelta(minutes=1) + step * count for count in range(50))
    assert all(times.closes_at(moment) is None for moment in between if now < moment < opening)
