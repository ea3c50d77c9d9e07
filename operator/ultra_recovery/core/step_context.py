"""The current step of a run at one moment, and the answers that may be given about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import (
    EffectStatus,
    Plan,
    RecoveryRunStatus,
    RunPhase,
    StepResult,
    StepState,
    StepStatus,
)
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import Planner, StepView, Traits
from ultra_recovery.core.facts import RunFacts
from ultra_recovery.core.ladder import cause_of, is_told
from ultra_recovery.core.objects import Pod
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.signals import all_clear
from ultra_recovery.core.step_gates import PROBE_LOOK, EffectRequest, first_step_refusal, is_fresh_probe

LOOK = timedelta(seconds=1)
"""At the latest after this long a step is looked at again: events are lost at times, seconds are not."""


PATIENCE = timedelta(seconds=3)
"""What is over in a moment is not written; after this long it is no moment any more, and people want to know."""


@dataclass(frozen=True, slots=True)
class StepAdvance:
    """What comes next in a step; as core.run.Advance."""

    status: RecoveryRunStatus
    effect: EffectStatus | None = None
    next_look: datetime | None = None
    wants_breaker: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """The step at this moment, with what it goes by."""

    facts: RunFacts
    planner: Planner
    plan: Plan
    rung: Step
    step: StepStatus
    stop: Problem | None
    now: datetime

    @property
    def status(self) -> RecoveryRunStatus:
        """The run's status."""
        return self.facts.run.status

    @property
    def traits(self) -> Traits:
        """What is true of the step's action."""
        return self.planner.traits(self.rung.action)

    @property
    def tells(self) -> bool:
        """Whether the step only tells people."""
        return is_told(self.rung)

    @property
    def deadline(self) -> datetime:
        """The end of the run; waiting for approvals does not count."""
        return deadline_of(self.status, self.plan, self.now)

    @property
    def rolled_out(self) -> bool:
        """Whether somebody changed the target's template since the run began. Scaling is no such change."""
        target, workload = self.status.target, self.facts.target.workload
        if target is None or workload is None:
            return False
        if target.template and workload.template_digest:
            return target.template != workload.template_digest
        return workload.meta.generation != target.generation

    @property
    def clear(self) -> bool:
        """Whether the signals that fired are clear. A run without triggers was asked for, whatever the signals say."""
        return self.facts.triggered and all_clear(self.facts.signals)

    @property
    def acted_for(self) -> timedelta:
        """How long the action has gone on, without the time it waited."""
        if self.step.started_at is None:
            return timedelta(0)
        waited = timedelta(seconds=self.step.waited_seconds)
        if self.step.waiting_since is not None:
            waited += self.now - self.step.waiting_since
        return self.now - self.step.started_at - waited

    @property
    def fits(self) -> bool:
        """Whether the rest of the action, its verification and undoing, and what tells people fit into the run."""
        left = max(self.rung.timeout - self.acted_for, timedelta(0))
        later = [rung.timeout for rung in self.plan.ladder[len(self.status.steps) :] if is_told(rung)]
        undo = self.rung.timeout if self.rung.action.has_undo else timedelta(0)
        needed = left + self.plan.verify.within + undo + sum(later, timedelta(0))
        return self.now + needed <= self.deadline

    @property
    def enough(self) -> bool:
        """Whether no further effect is wanted: somebody stops the run, changed the target, or all is well again."""
        return self.stop is not None or self.rolled_out or self.clear

    def view(self) -> StepView:
        """What the action may look at."""
        return StepView(
            run=self.facts.run,
            rung=self.rung,
            step=self.step,
            target=self.facts.target,
            signals=self.facts.signals,
            limits=self.plan.limits,
            now=self.now,
            observations=self.facts.observations,
            cause=cause_of(self.plan.ladder, self.status.steps),
            notified=self.facts.notified,
            touched=self.facts.touched,
        )

    def pod_of(self, effect: EffectStatus) -> Pod | None:
        """The pod that an effect removes, if it is one and still there."""
        return next((pod for pod in self.facts.target.pods if pod.meta.uid == effect.id), None)

    def gate(self, pod: Pod | None = None) -> Refusal | None:
        """What the gates say to the next effect."""
        spec = self.facts.run.spec
        request = EffectRequest(
            self.traits.action_class,
            self.facts.target,
            self.plan.limits,
            pod,
            windows=self.plan.maintenance_windows,
            dependencies=self.facts.dependencies,
            allow_while_open=self.rung.allow_while_open,
            fresh_since=self.step.entered_at,
            rails=self.facts.rails,
            forced=spec is not None and spec.force,
        )
        return first_step_refusal(request, self.now)

    def awaited_probe(self) -> Refusal | None:
        """Of a database that the step works on: the probe right before the step that is not there yet."""
        database, since = self.rung.action.database, self.step.entered_at or self.now
        if database is None or database.breaker not in self.facts.touched:
            return None
        snapshot = self.facts.touched[database.breaker]
        if snapshot is not None and (not snapshot.probed or is_fresh_probe(snapshot, since)):
            return None
        message = f"waiting for a fresh probe of {database.breaker}"
        return Refusal(Reason.AWAITING_PROBE, message, self.now + PROBE_LOOK, transient=True)

    def end(self, phase: RunPhase, reason: Reason, message: str) -> StepAdvance:
        """The run ends here."""
        return StepAdvance(record.finish(self.status, phase, reason, message, self.now))

    def end_step(self, result: StepResult, reason: Reason, message: str) -> StepAdvance:
        """The step has its result. What it did is taken back first, if it was not verified and there is a way."""
        if self._takes_back(result):
            return StepAdvance(record.begin_undo(self.status, result, reason, message, self.now))
        return StepAdvance(record.finish_step(self.status, result, reason, message, self.now))

    def _takes_back(self, result: StepResult) -> bool:
        if result is StepResult.VERIFIED or self.step.state is StepState.UNDOING:
            return False
        return self.planner.undo(self.view()) is not None

    def hold(self, refusal: Refusal) -> StepAdvance:
        """A gate refuses: wait, and say so."""
        look = refusal.later(self.now, LOOK)
        if refusal.transient and self.now - (self.step.entered_at or self.now) < PATIENCE:
            return StepAdvance(self.status, next_look=look)
        return StepAdvance(record.hold(self.status, refusal.reason, refusal.message, self.now), next_look=look)

    def out_of_time(self) -> StepAdvance:
        """There is no time left for the action: the gate that took it is the reason."""
        waits = self.step.waiting_since is not None and self.step.reason is not None
        gate = self.step.reason if waits and self.step.reason else Reason.DEADLINE_EXCEEDED
        message = self.step.message or "the step and its verification do not fit into limits.timeout any more"
        return self.end_step(StepResult.BLOCKED, Reason(gate), message)


def deadline_of(status: RecoveryRunStatus, plan: Plan, now: datetime) -> datetime:
    """The end of a run: limits.timeout after its start, and the time that it waited for approvals."""
    return (status.started_at or now) + plan.limits.timeout + timedelta(seconds=status.approval_seconds)
