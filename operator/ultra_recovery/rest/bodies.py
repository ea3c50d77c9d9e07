"""What callers send. Unknown fields are refused; every bound is in the schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from ultra_recovery.apis.trigger import ERROR_TYPE

_NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
SERVICE_NAME = rf"^({_NAME}/)?{_NAME}$"
CONTEXT_KEY = r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$"
STEP_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

ServiceName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=317,
        pattern=SERVICE_NAME,
        description="A name, looked up in all namespaces that the caller may use, or namespace/name.",
        examples=["openai", "shop/orders-db"],
    ),
]


def _whole(value: object) -> object:
    """JSON knows one kind of number: 2.0 is a whole one, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Epoch = Annotated[int, Field(ge=0, le=2**53 - 1), BeforeValidator(_whole)]
Text = Annotated[str, Field(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]

Context = Annotated[
    dict[Annotated[str, StringConstraints(pattern=CONTEXT_KEY)], Text],
    Field(max_length=16, json_schema_extra={"additionalProperties": False}),
]


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ResetBody(Body):
    """Which breaker to reset."""

    service_name: ServiceName
    reason: Text | None = Field(default=None, description="Why, for the audit line.", examples=["provider is back"])


class ReportBody(Body):
    """What a caller saw of a dependency."""

    service_name: ServiceName
    outcome: Literal["success", "failure", "neutral"] = Field(
        description="success, failure, or neutral: a 429, a cancelled call, a mistake of the caller."
    )
    count: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)] = Field(
        default=1, description="How many calls in a row ended so."
    )
    epoch: Epoch | None = Field(
        default=None,
        description="The epoch in which the calls were made; calls of an older one are dropped.",
    )
    message: Text | None = Field(
        default=None, description="What went wrong, in short; no secret.", examples=["HTTP 503 from the provider"]
    )


class TrialBody(Body):
    """Which breaker to try."""

    service_name: ServiceName
    epoch: Epoch | None = Field(default=None, description="The epoch that the caller knows.")


class ScopeBody(Body):
    """Where to act; nothing means everything in scope."""

    service_name: ServiceName | None = Field(default=None, description="Only this breaker. Not set: all in scope.")


def _reason_with_force(schema: dict[str, Any]) -> None:
    """Force needs a reason, and the schema says so."""
    reason = {"properties": {"reason": {"type": "string", "minLength": 1}}, "required": ["reason"]}
    schema["anyOf"] = [{"properties": {"force": {"const": False}}}, reason]


class TriggerBody(Body):
    """What is wrong, and with which service."""

    model_config = ConfigDict(json_schema_extra=_reason_with_force)

    error_type: Annotated[str, Field(min_length=1, max_length=64, pattern=ERROR_TYPE)] = Field(
        description="Type of the error, as the triggers of policies name it.", examples=["CUSTOM_ERROR"]
    )
    service_name: ServiceName = Field(
        description="Name of a policy, of its target, or of a breaker that it depends on; or namespace/name.",
        examples=["custom-service"],
    )
    context: Context = Field(
        default_factory=dict,
        description="What is known besides, as words; steps get it.",
        examples=[{"additional": "recovery parameters"}],
    )
    reason: Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = Field(
        default=None, description="Why, in words for people."
    )
    dry_run: bool = Field(default=False, description="Only record what would be done.")
    force: bool = Field(
        default=False,
        description="Also pass the maintenance window, the veto of an open dependency, storm and quorum. Needs the "
        "scope force, and a reason.",
    )

    @model_validator(mode="after")
    def _force_has_a_reason(self) -> TriggerBody:
        if self.force and not self.reason:
            raise ValueError("force needs a reason: say why the safety rails are to be passed")
        return self


class ApproveBody(Body):
    """Which step is approved."""

    step: Annotated[str, Field(min_length=1, max_length=63, pattern=STEP_NAME)] | None = Field(
        default=None, description="Name of the step. Not set: the one that waits."
    )
    reason: Text | None = Field(default=None, description="Why, for the audit line.")


class ReasonBody(Body):
    """Why something is asked for."""

    reason: Text | None = Field(default=None, description="Why, for the audit line.")
