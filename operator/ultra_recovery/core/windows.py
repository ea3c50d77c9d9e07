"""Maintenance windows: when steps may begin, by the calendar.

A window opens whenever the clock of its time zone shows a time of its schedule, and stays open for its duration, which
is real time: the end itself does not belong to it. Where clocks change:

* A time that comes twice opens the window twice.
* A time that is skipped opens the window at the moment of the change.

Windows may overlap, touch, or open again before they end: they are then one longer window. Nothing is remembered: the
answer depends on the spec and the present alone, so a restart of the operator changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from ultra_recovery.apis.meta import format_duration
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import MaintenanceWindow, WindowEffect
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.refusal import Refusal

_REACH = timedelta(hours=24)
"""The longest duration of a window: an opening further back cannot matter."""
_MARGIN = timedelta(hours=3)
"""More than any change of clocks: within this of one, wall clock and time do not run in the same order."""
_MOST_JOINED = 16
"""So many touching windows are followed to their end; of more, the next look follows the rest."""
_NO_PLACES = ("localtime", "posixrules", "Factory", "posix/", "right/")
"""Files that some machines have beside the zones: they mean something else on each of them."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OpeningTimes:
    """A window that can be read.

    Attributes:
        schedule: five cron fields.
        zone: name of the time zone.
    """

    schedule: str
    zone: str
    duration: timedelta

    def latest(self, now: datetime) -> datetime | None:
        """The last opening at or before `now`, None when there was none within a day."""
        return _latest(self.schedule, self.zone, _minute(now))

    def following(self, now: datetime) -> datetime | None:
        """The first opening after `now`, None when there is none within decades."""
        return _following(self.schedule, self.zone, _minute(now))

    def closes_at(self, now: datetime) -> datetime | None:
        """The end of the opening that `now` lies in, None outside the window."""
        opened = self.latest(now)
        if opened is None or now >= opened + self.duration:
            return None
        return opened + self.duration


def parse_window(window: MaintenanceWindow) -> OpeningTimes:
    """Read a window.

    Raises:
        SpecError: the schedule or the time zone cannot be used; the message names the window and the field.
    """
    problem = _problem(window.schedule, window.time_zone)
    if problem:
        raise SpecError(Reason.INVALID_SPEC, f"spec.maintenanceWindows[{window.name}].{problem}")
    return OpeningTimes(window.schedule, window.time_zone, window.duration)


def window_refusal(windows: Sequence[MaintenanceWindow], now: datetime) -> Refusal | None:
    """Whether the calendar forbids that a step begins now.

    Any open Deny window refuses until its end. Where there are Allow windows, one of them must be open. Without any
    window nothing is refused; a window that cannot be read refuses until it is mended.
    """
    try:
        read = [(window, parse_window(window)) for window in windows]
    except SpecError as error:
        return Refusal(Reason.MAINTENANCE_WINDOW, f"no step begins until this window can be read: {error}")
    denying = [(window, times) for window, times in read if window.effect is WindowEffect.DENY]
    for window, times in denying:
        if times.closes_at(now) is not None:
            until = _free_at([times for _, times in denying], now)
            return Refusal(Reason.MAINTENANCE_WINDOW, f"{_name(window)} is open until {_moment(until)}", until)
    allowing = [(window, times) for window, times in read if window.effect is WindowEffect.ALLOW]
    if not allowing or any(times.closes_at(now) is not None for _, times in allowing):
        return None
    openings = [(opening, window) for window, times in allowing if (opening := times.following(now)) is not None]
    if not openings:
        return Refusal(Reason.MAINTENANCE_WINDOW, "no window of effect Allow is open, nor ever opens again")
    opening, window = min(openings, key=lambda item: item[0])
    message = f"no window of effect Allow is open; {_name(window)} opens at {_moment(opening)}"
    return Refusal(Reason.MAINTENANCE_WINDOW, message, opening)


def _free_at(denying: Sequence[OpeningTimes], now: datetime) -> datetime:
    """When no Deny window is open any more, as far as touching windows are followed."""
    free = now
    for _ in range(_MOST_JOINED):
        ends = [end for times in denying if (end := times.closes_at(free)) is not None]
        if not ends:
            break
        free = max(ends)
    return free


def _name(window: MaintenanceWindow) -> str:
    return (
        f"maintenance window {window.name} ({window.effect}, {window.schedule} {window.time_zone}, "
        f"{format_duration(window.duration)})"
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _minute(now: datetime) -> datetime:
    """The minute that `now` lies in: windows open at whole minutes, so one answer holds for all of it."""
    return now.astimezone(UTC).replace(second=0, microsecond=0)


@lru_cache(maxsize=4096)
def _problem(schedule: str, zone: str) -> str:
    """What is wrong with a schedule or a time zone, beginning with the field; empty when nothing is."""
    if not _is_zone(zone):
        return f"timeZone: {zone} is not in the time zone database; write a name such as Europe/Berlin or UTC"
    if len(schedule.split()) != 5:
        return f"schedule: {schedule!r} must have five fields: minute, hour, day of month, month, day of week"
    try:
        opens = next(CronSim(schedule, _LONG_AGO), None) is not None
    except CronSimError as error:
        return f"schedule: {str(error).lower()} in {schedule!r}; write five cron fields such as 0 2 * * *"
    return "" if opens else f"schedule: {schedule!r} never comes; write five cron fields such as 0 2 * * *"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not name.startswith(_NO_PLACES)


@lru_cache(maxsize=4096)
def _latest(schedule: str, zone_name: str, now: datetime) -> datetime | None:
    zone = ZoneInfo(zone_name)
    wall, margin = _wall_clock(now, zone)
    oldest = wall - _REACH - margin
    times = CronSim(schedule, wall + margin + timedelta(minutes=1), reverse=True)
    best: datetime | None = None
    for time in takewhile(lambda time: time >= oldest, times):
        if best is not None and time < wall - margin:
            break
        past = [moment for moment in _moments(time, zone) if moment <= now]
        best = max([*past, best] if best is not None else past, default=None)
    return best


@lru_cache(maxsize=4096)
def _following(schedule: str, zone_name: str, now: datetime) -> datetime | None:
    zone = ZoneInfo(zone_name)
    wall, margin = _wall_clock(now, zone)
    best: datetime | None = None
    for time in CronSim(schedule, wall - margin - timedelta(minutes=1)):
        if best is not None and time > wall + margin:
            break
        future = [moment for moment in _moments(time, zone) if moment > now]
        best = min([*future, best] if best is not None else future, default=None)
    return best


def _wall_clock(now: datetime, zone: ZoneInfo) -> tuple[datetime, timedelta]:
    """What the clock of a zone shows, and how far around it must be searched for the right order of moments."""
    offsets = {moment.astimezone(zone).utcoffset() for moment in (now - _MARGIN, now, now + _MARGIN)}
    wall = now.astimezone(zone).replace(tzinfo=None, fold=0)
    return wall, timedelta(0) if len(offsets) == 1 else _MARGIN


def _moments(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The moments at which the clock shows a time: one; two when it comes twice; the change when it is skipped."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return [first] if first == second else [first, second]
    # Skipped: the two readings enclose the change, in the wrong order.
    before, after = second, first
    new_offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(minutes=1):
        middle = _minute(before + (after - before) / 2)
        if middle.astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return [after]
