"""The target of a policy as it is at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ultra_recovery.core.health import is_available
from ultra_recovery.core.objects import Pod, Workload


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """The target workload and its pods.

    Attributes:
        workload: None when it does not exist.
        pods: the pods that belong to it, by name.
    """

    workload: Workload | None
    pods: Sequence[Pod] = ()

    def available(self, now: datetime) -> list[Pod]:
        """The pods that are Ready for minReadySeconds."""
        wait = self.workload.min_ready_seconds if self.workload else 0
        return [pod for pod in self.pods if is_available(pod, wait, now)]
