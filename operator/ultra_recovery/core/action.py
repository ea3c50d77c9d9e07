"""What the run asks of an action. Actions decide purely and act through ports; the run keeps the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ultra_recovery.apis.action import Action, Step
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Limits
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, StepStatus
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.objects import Pod, Run
from ultra_recovery.core.rights import Right
from ultra_recovery.core.signals import Signal
from ultra_recovery.core.step_gates import ActionClass
from ultra_recovery.core.target import TargetFacts


class EffectClass(StrEnum):
    """How an effect may be repeated when its outcome is not known.

    IDEMPOTENT: at any time. GUARDED: the receiver refuses a repetition (UID precondition, deterministic name). ONCE:
    never; the outcome stays unknown.
    """

    IDEMPOTENT = "Idempotent"
    GUARDED = "Guarded"
    ONCE = "Once"


@dataclass(frozen=True, slots=True)
class Traits:
    """What is true of an action before it is looked at in detail.

    Attributes:
        action_class: which gates apply.
        effect_class: whether an effect may be repeated.
        breakers: breakers of the dependencies it touches: their Leases are held, and they are probed, during the step.
        rights: what a person would need to do the same by hand; nothing where the cluster itself is not touched.
    """

    action_class: ActionClass
    effect_class: EffectClass
    breakers: tuple[str, ...] = ()
    rights: tuple[Right, ...] = ()


@dataclass(frozen=True, slots=True)
class StepView:
    """What an action may look at when it chooses its next effect.

    Attributes:
        observations: what the action itself saw of its open effects, by effect id.
        cause: for notifications: why there is something to tell.
        notified: causes that earlier runs of this incident have already told.
        touched: breakers that the action touches, by name; None for one of which nothing is known.
    """

    run: Run
    rung: Step
    step: StepStatus
    target: TargetFacts
    signals: Sequence[Signal]
    limits: Limits
    now: datetime
    observations: Mapping[str, object] = field(default_factory=dict)
    cause: str = ""
    notified: frozenset[str] = frozenset()
    touched: Mapping[str, Snapshot | None] = field(default_factory=dict)

    @property
    def action(self) -> Action:
        """What the step does."""
        return self.rung.action


@dataclass(frozen=True, slots=True)
class Proposal:
    """The next effect of a step: the intent as it will be written, and the pod for the gates."""

    effect: EffectStatus
    pod: Pod | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What became of an effect whose intent was written and whose outcome is not.

    Attributes:
        outcome: what became of it; None: it was not done, or is under way.
        under_way: somebody is at it; ask again later.
        message: what the receiver said, if anything.
    """

    outcome: EffectOutcome | None = None
    under_way: bool = False
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The consequence of an effect.

    Attributes:
        ok: it had the consequence that was wanted.
        changed: whether anything was changed; None: not known, which counts as a change.
        evidence: what the effect itself said of its work.
    """

    ok: bool = True
    reason: Reason = Reason.EFFECT_FAILED
    message: str = ""
    changed: bool | None = None
    evidence: str | None = None


class Planner(Protocol):
    """The pure half of an action."""

    def traits(self, action: Action) -> Traits:
        """Which gates, Leases and rules of repetition apply."""

    def propose(self, view: StepView) -> Proposal | None:
        """The next effect, or None when nothing is left to do."""

    def look(self, effect: EffectStatus, view: StepView) -> Sighting:
        """What became of an effect whose intent was written and whose outcome is not known."""

    def settled(self, effect: EffectStatus, view: StepView) -> Settlement | None:
        """The consequence of an effect, so that the next one may follow; None: not yet."""

    def undo(self, view: StepView) -> EffectStatus | None:
        """The effect that takes back what the step did, None when there is none."""
