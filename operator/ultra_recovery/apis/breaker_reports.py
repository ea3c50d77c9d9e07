"""What the callers of a dependency report, and the trial that one of them holds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from ultra_recovery.apis.breaker_rules import to_millisecond
from ultra_recovery.apis.meta import ApiType, Timestamp

_Moment = Annotated[Timestamp, AfterValidator(to_millisecond)]


class ExternalTarget(ApiType):
    """A dependency that the operator does not probe: its callers report how their calls went."""

    quorum: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Number of reporters with failureThreshold failures in a row each that open the breaker, 1 to 16. "
        "Default: 1. Example: 2.",
    )


class ReportOutcome(StrEnum):
    """What a call to the dependency tells."""

    SUCCESS = "Success"
    FAILURE = "Failure"
    NEUTRAL = "Neutral"


class ReporterStatus(ApiType):
    """The entry of one reporter. Only that reporter writes it, by server-side apply."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="Name of the reporter, unique in the list. Example: checkout."
    )
    epoch: int = Field(
        ge=0,
        description="status.epoch that the counts belong to; with another epoch the entry does not count. Example: 4.",
    )
    consecutive_failures: int = Field(
        default=0, ge=0, description="Failures in a row that this reporter has seen in this epoch."
    )
    consecutive_successes: int = Field(
        default=0, ge=0, description="Successes in a row that this reporter has seen in this epoch."
    )
    last_outcome: ReportOutcome = Field(
        description="Success, Failure or Neutral (a 429, a cancelled call, the caller's own mistake). Example: Success."
    )
    message: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="A sentence of the reporter on its last failure; never a secret or a body."
    )
    changed_at: _Moment | None = Field(default=None, description="When lastOutcome last became another one.")
    reported_at: _Moment = Field(
        description="When the entry was written last. After 60 s without a new write it does not count any more."
    )


class TrialStatus(ApiType):
    """The trial of a HalfOpen external breaker, handed to one caller at a time."""

    holder: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The caller that may try the dependency now. Example: checkout."
    )
    until: _Moment = Field(description="When the trial is free again, whether or not the holder has reported.")


def _read(model: type[ApiType], part: object) -> ApiType | None:
    try:
        return model.model_validate(part)
    except ValidationError:
        return None


def _readable_entries(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [entry for item in value if (entry := _read(ReporterStatus, item)) is not None]


def _readable_trial(value: object) -> object:
    return _read(TrialStatus, value)


# Others write these. What cannot be read of theirs must not make the operator's own part of the status unreadable.
Reporters = Annotated[
    list[ReporterStatus],
    BeforeValidator(_readable_entries),
    Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
]
"""The entries of all reporters of a breaker."""
Trial = Annotated[TrialStatus | None, BeforeValidator(_readable_trial)]
"""The trial that stands, if one does."""
