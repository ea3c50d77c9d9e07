"""Which action carries out a step. Adding an action is one file and one line here."""

from __future__ import annotations

from typing import Protocol

from ultra_recovery.actions.restart_pods import RestartPods
from ultra_recovery.apis.action import Action
from ultra_recovery.apis.run_status import EffectStatus
from ultra_recovery.core.action import Planner
from ultra_recovery.ports import Cluster


class Performer(Planner, Protocol):
    """An action: it chooses purely and acts through ports."""

    async def perform(self, namespace: str, effect: EffectStatus, cluster: Cluster) -> None:
        """Carry out one effect whose intent was written. Raises ApiError."""


_ACTIONS: dict[str, Performer] = {"restart_pods": RestartPods()}


def find_action(action: Action) -> Performer | None:
    """The action of a step; None when this version of the operator does not know it."""
    return next((known for field, known in _ACTIONS.items() if getattr(action, field) is not None), None)
