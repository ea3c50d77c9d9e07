"""When a breaker opens by rates, and how people override it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from ultra_recovery.apis.meta import ApiType, Instants, Seconds, Timestamp

MAX_CALLS = 500
"""Most calls that a window of either kind keeps."""


def to_millisecond(value: datetime) -> datetime:
    """The moment as a status repeats it."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


class CountWindow(ApiType):
    """The last calls, by their number."""

    size: int = Field(
        default=100, ge=1, le=MAX_CALLS, description="Number of the last calls that are judged, 1 to 500. Default: 100."
    )


class TimeWindow(ApiType):
    """The last calls, by their age."""

    duration: Seconds = Field(
        default=timedelta(seconds=60),
        description="Calls that ended within this time are judged, at most the latest 500 of them. Default: 1m.",
    )


class SlowCall(ApiType):
    """When a call counts as slow, and how many slow calls are too many."""

    duration: Instants = Field(
        default=timedelta(seconds=5),
        description="A call that takes longer than this is slow, whether it succeeds or fails. Default: 5s.",
    )
    rate_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Percentage of slow calls at and above which the breaker opens, 1 to 100. Default: 100.",
    )


class WindowSpec(ApiType):
    """Opens the breaker by rates over the last calls, besides failureThreshold."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.count) != has(self.time)",
                    "message": "set exactly one of count (the last calls by number) and time (the last calls by age)",
                },
                {
                    "rule": "!has(self.count) || self.minimumCalls <= self.count.size",
                    "message": "minimumCalls (20 unless set) must not be larger than count.size: lower it or raise "
                    "count.size",
                    "fieldPath": ".minimumCalls",
                },
            ]
        }
    )

    count: CountWindow | None = Field(
        default=None, description="Judge the last calls by their number. Example: {size: 100}."
    )
    time: TimeWindow | None = Field(
        default=None, description="Judge the last calls by their age. Example: {duration: 60s}."
    )
    minimum_calls: int = Field(
        default=20,
        ge=1,
        le=MAX_CALLS,
        description="Nothing is decided before this many calls are in the window, 1 to 500. Default: 20.",
    )
    failure_rate_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Percentage of failed calls at and above which the breaker opens, 1 to 100. Default: 50.",
    )
    slow_call: SlowCall | None = Field(
        default=None, description="Also open by the rate of slow calls. Not set: slowness does not matter."
    )


class OverrideState(StrEnum):
    """What a person makes of a breaker for a while."""

    FORCED_OPEN = "ForcedOpen"
    DISABLED = "Disabled"
    METRICS_ONLY = "MetricsOnly"


class OverrideSpec(ApiType):
    """A person's decision that stands above the probes' results."""

    state: OverrideState = Field(
        description="ForcedOpen: Open whatever the probes say. Disabled: Closed, and no probes. MetricsOnly: Closed, "
        "and status.wouldBe shows what the breaker would be. None of them ever fires a trigger. Example: ForcedOpen."
    )
    until: Annotated[Timestamp, AfterValidator(to_millisecond)] | None = Field(
        default=None,
        description="When the override ends by itself; not set: when it is removed. Example: 2026-01-31T18:00:00Z.",
    )
    reason: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Why, for people; shown in the status and in Events. Example: database migration."
    )


class OverrideStatus(ApiType):
    """The override that is in force."""

    state: OverrideState = Field(description="The override that is in force: ForcedOpen, Disabled or MetricsOnly.")
    until: Timestamp | None = Field(default=None, description="When the override ends by itself, if it does.")
    since: Timestamp = Field(description="Since when this override has been in force.")
    reason: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Why, in the words of whoever set the override."
    )


class WindowStatus(ApiType):
    """Figures of the window, as they were when the failed or slow calls in it last changed."""

    calls: int = Field(ge=0, description="Calls in the window when its failed or slow calls last changed.")
    failed: int = Field(ge=0, description="Failed calls in the window, which failureRatePercent is about.")
    slow: int = Field(ge=0, description="Slow calls in the window, which slowCall.ratePercent is about.")
