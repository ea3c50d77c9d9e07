"""What the run asks of an action. Actions decide purely and act through ports; the run keeps the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ultra_recovery.apis.action import Action
from ultra_recovery.apis.recovery_policy import Limits
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, StepStatus
from ultra_recovery.core.facts import TargetFacts
from ultra_recovery.core.objects import Pod
from ultra_recovery.core.signals import Signal
from ultra_recovery.core.step_gates import ActionClass


@dataclass(frozen=True, slots=True)
class StepView:
    """What an action may look at when it chooses its next effect."""

    action: Action
    step: StepStatus
    target: TargetFacts
    signals: Sequence[Signal]
    limits: Limits
    now: datetime


@dataclass(frozen=True, slots=True)
class Proposal:
    """The next effect of a step: the intent as it will be written, and the pod for the gates."""

    effect: EffectStatus
    pod: Pod | None = None


class Planner(Protocol):
    """The pure half of an action."""

    @property
    def action_class(self) -> ActionClass:
        """Which gates apply."""

    def propose(self, view: StepView) -> Proposal | None:
        """The next effect, or None when nothing is left to do."""

    def look(self, effect: EffectStatus, view: StepView) -> EffectOutcome | None:
        """What became of an effect whose intent was written and whose outcome is not known; None: not done."""

    def settled(self, effect: EffectStatus, view: StepView) -> bool:
        """Whether the effect has had its consequence, so that the next one may follow."""
