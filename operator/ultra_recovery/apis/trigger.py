"""Triggers: the causes for which a policy acts."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ultra_recovery.apis.meta import ApiType, LabelName, Moments, ObjectName


class CircuitOpenTrigger(ApiType):
    """Fires while a breaker is Open; in HalfOpen it neither fires nor clears."""

    breaker: ObjectName = Field(
        description="Name of a CircuitBreaker in the policy's own namespace. Example: orders-db."
    )


class PodUnhealthyReason(StrEnum):
    """What can be wrong with a pod."""

    NOT_READY = "NotReady"


class PodUnhealthyTrigger(ApiType):
    """Fires while a pod of the target is unhealthy; judged for each pod on its own."""

    reasons: Annotated[
        list[PodUnhealthyReason], Field(min_length=1, max_length=8, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(
        default_factory=lambda: [PodUnhealthyReason.NOT_READY],
        description="What counts as unhealthy. NotReady: was Ready before, or is not Ready for longer than "
        "startupGrace. Pods that are Pending, Terminating, pulling an image or in CrashLoopBackOff never count. "
        "Default: [NotReady].",
    )
    startup_grace: Moments = Field(
        default=timedelta(minutes=5),
        description="How long a new pod may take to become Ready for the first time. Default: 5m.",
    )


class Trigger(ApiType):
    """One cause for which the policy acts: exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.circuitOpen), has(self.podUnhealthy)].filter(x, x).size() == 1",
                    "message": "set exactly one kind of trigger: circuitOpen or podUnhealthy",
                }
            ]
        }
    )

    name: LabelName = Field(description="Name of the trigger, unique in the policy. Example: pods.")
    circuit_open: CircuitOpenTrigger | None = Field(
        default=None, description="Fires while the named CircuitBreaker is Open."
    )
    pod_unhealthy: PodUnhealthyTrigger | None = Field(
        default=None, description="Fires while a pod of the target workload is unhealthy."
    )
    hold: Moments = Field(
        default=timedelta(0),
        alias="for",
        description="The condition must hold for this long before the trigger fires. Default: 0s. Example: 30s.",
    )
