"""Conditions in the form Kubernetes and kstatus expect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ultra_recovery.apis.meta import Condition
from ultra_recovery.apis.reasons import ConditionType, Reason

MAX_MESSAGE = 1024
Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition that an object shall have."""

    type: ConditionType
    status: Status
    reason: Reason
    message: str = ""


def truth(value: bool | None) -> Status:
    """True, False or Unknown as Kubernetes writes them."""
    return "Unknown" if value is None else "True" if value else "False"


def merge(old: Sequence[Condition], wanted: Iterable[Wanted], generation: int, now: datetime) -> list[Condition]:
    """The new list of conditions, in the order of `wanted`.

    A condition that is not wanted any more is left out (the abnormal-true ones exist only while true). The transition
    time changes only with the status, as the API conventions ask.
    """
    before = {condition.type: condition for condition in old}
    whole = now.replace(microsecond=0)
    result = []
    for item in wanted:
        known = before.get(item.type)
        same = known is not None and known.status == item.status
        result.append(
            Condition(
                type=item.type,
                status=item.status,
                reason=item.reason,
                message=item.message[:MAX_MESSAGE],
                observed_generation=generation,
                last_transition_time=known.last_transition_time if known is not None and same else whole,
            )
        )
    return result
