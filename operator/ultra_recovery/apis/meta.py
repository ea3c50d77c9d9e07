"""What all kinds share: group and version, well-known keys, field types."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

GROUP = "recovery.ultra.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

RESET_ANNOTATION = f"{GROUP}/reset-requested-at"
CANCEL_ANNOTATION = f"{GROUP}/cancel-requested-at"
APPROVE_ANNOTATION = f"{GROUP}/approve"
REJECT_ANNOTATION = f"{GROUP}/reject"
IDEMPOTENCY_ANNOTATION = f"{GROUP}/idempotency-key"
PAUSED_ANNOTATION = f"{GROUP}/paused"
ALLOW_BREAKERS_ANNOTATION = f"{GROUP}/allow-breakers"
EXCLUDE_LABEL = f"{GROUP}/exclude"
POLICY_LABEL = f"{GROUP}/policy"
RUN_LABEL = f"{GROUP}/run"
STEP_LABEL = f"{GROUP}/step"

_DURATION = re.compile(r"([0-9]{1,6})(ms|s|m|h)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION_PATTERN = r"^([0-9]{1,6}(ms|s|m|h)){1,4}$"


def parse_duration(text: str) -> timedelta:
    """Turn a Go-style duration such as ``90s`` or ``1h30m`` into a timedelta.

    Raises:
        ValueError: if the text is not a sequence of number and unit (ms, s, m, h).
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 30s, 5m or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text)))


def format_duration(value: timedelta) -> str:
    """Write a timedelta as a Go-style duration, largest unit first: ``1h30m``, ``0s``, ``1500ms`` as ``1s500ms``."""
    rest = round(value.total_seconds() * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _read_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


PATTERN_MESSAGE = "patternMessage"
"""Key beside ``pattern`` in a JSON schema: in the CRD a rule with this message stands in for the pattern.

A refused pattern shows people the regular expression and nothing else.
"""


def duration_schema(minimum: str, maximum: str) -> dict[str, Any]:
    """The JSON schema of a duration string between two bounds, both allowed."""
    return {
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [
            {
                "rule": f"self.matches('{DURATION_PATTERN}') "
                f"&& duration(self) >= duration('{minimum}') && duration(self) <= duration('{maximum}')",
                "message": f"must be a duration from {minimum} to {maximum}, as number and unit: 30s, 5m or 1m30s",
            }
        ],
    }


def readable(*durations: str) -> str:
    """A CEL condition: these durations can be read.

    Rules of the API server do not wait for each other. A rule over several durations must keep silent about one that
    cannot be read, whose own rule says so; otherwise people see a failed type conversion instead of a sentence.
    """
    return "(" + " && ".join(f"{duration}.matches('{DURATION_PATTERN}')" for duration in durations) + ")"


_AS_DURATION = (BeforeValidator(_read_duration), PlainSerializer(format_duration, return_type=str))

Seconds = Annotated[timedelta, *_AS_DURATION, WithJsonSchema(duration_schema("1s", "1h"))]
"""A duration from one second to one hour."""
Moments = Annotated[timedelta, *_AS_DURATION, WithJsonSchema(duration_schema("0s", "1h"))]
"""A duration that may be zero, to one hour."""
Hours = Annotated[timedelta, *_AS_DURATION, WithJsonSchema(duration_schema("1s", "24h"))]
"""A duration from one second to a day."""
HalfMinute = Annotated[timedelta, *_AS_DURATION, WithJsonSchema(duration_schema("1s", "30s"))]
"""A duration from one second to half a minute."""
Days = Annotated[timedelta, *_AS_DURATION, WithJsonSchema(duration_schema("1m", "8760h"))]
"""A duration from one minute to a year."""
Instants = Annotated[timedelta, *_AS_DURATION, WithJsonSchema(duration_schema("1ms", "1h"))]
"""A duration from one millisecond to one hour."""


def format_time(value: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is UTC.

    What pydantic reads has a zone object of its own for each time, which is a tenth of what a completed run weighs.

    Raises:
        ValueError: it is outside the years 1 to 9999 in UTC.
    """
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("must be a time from year 1 to year 9999 in UTC") from None


Timestamp = Annotated[
    datetime,
    AfterValidator(in_utc),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40}),
]
"""A moment, RFC 3339 in UTC."""

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


def patterned(pattern: str, message: str, *, max_length: int, min_length: int | None = None) -> FieldInfo:
    """The field of a string that must match a pattern, and the sentence that says so to people."""
    extra: dict[str, Any] = {PATTERN_MESSAGE: message}
    field: FieldInfo = Field(min_length=min_length, max_length=max_length, pattern=pattern, json_schema_extra=extra)
    return field


_LABEL_MESSAGE = "must be lower-case letters, digits and '-', and start and end with a letter or digit, such as my-name"
_SUBDOMAIN_MESSAGE = "must be lower-case letters, digits, '-' and '.', and start and end with a letter or digit"

LabelName = Annotated[str, patterned(DNS_LABEL, _LABEL_MESSAGE, min_length=1, max_length=63)]
ObjectName = Annotated[str, patterned(DNS_SUBDOMAIN, _SUBDOMAIN_MESSAGE, min_length=1, max_length=253)]
Percent = Annotated[
    str, patterned(r"^([0-9]{1,2}|100)%$", "must be a percentage from 0% to 100%, such as 50%", max_length=4)
]


class ApiType(BaseModel):
    """Base of every type: camelCase on the wire, immutable in memory, unknown fields ignored.

    Unknown fields cannot come from a user (the API server prunes them and strict apply refuses them); they come
    from a newer version of the CRD, and an older operator must still be able to read such an object.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def to_wire(self) -> dict[str, Any]:
        """The object as it is written to the API server: camelCase, without fields that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Condition(ApiType):
    """One aspect of an object's state, as Kubernetes writes conditions."""

    type: Annotated[str, Field(max_length=64)] = Field(
        description="Name of the condition, unique in the list. Example: Ready."
    )
    status: Literal["True", "False", "Unknown"] = Field(
        description="Whether the condition holds: True, False or Unknown."
    )
    reason: Annotated[str, Field(max_length=64)] = Field(description="One word that says why; see the reasons page.")
    message: Annotated[str, Field(max_length=1024)] = Field(
        default="", description="The reason as a sentence for people, at most 1024 characters."
    )
    observed_generation: int = Field(
        default=0, ge=0, description="metadata.generation this condition was computed for."
    )
    last_transition_time: Timestamp = Field(description="When the status of this condition last changed.")


class TargetRef(ApiType):
    """The workload that a policy recovers, in the policy's own namespace."""

    api_version: Literal["apps/v1"] = Field(
        default="apps/v1", description="API version of the workload; only apps/v1 is known. Default: apps/v1."
    )
    kind: Literal["Deployment", "StatefulSet"] = Field(
        description="Kind of the workload: Deployment or StatefulSet. Example: Deployment."
    )
    name: ObjectName = Field(description="Name of the workload in the policy's own namespace. Example: web.")
