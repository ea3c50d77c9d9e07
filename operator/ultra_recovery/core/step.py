"""One step of a run: wait for its gates, act, verify. Pure; called by core.run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import (
    EffectOutcome,
    EffectStatus,
    Plan,
    RecoveryRunStatus,
    RunPhase,
    StepResult,
    StepState,
    StepStatus,
)
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import Planner, StepView
from ultra_recovery.core.facts import Problem, Refusal, RunFacts
from ultra_recovery.core.ladder import climbs, ending_of
from ultra_recovery.core.signals import SignalState, all_clear, fresh_at, good_since, next_change
from ultra_recovery.core.step_gates import EffectRequest, first_step_refusal

LOOK = timedelta(seconds=1)
"""At the latest after this long a step is looked at again: events are lost at times, seconds are not."""


@dataclass(frozen=True, slots=True)
class StepAdvance:
    """What comes next in a step; as core.run.Advance."""

    status: RecoveryRunStatus
    effect: EffectStatus | None = None
    next_look: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Here:
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
        return self.facts.run.status

    @property
    def deadline(self) -> datetime:
        """The end of the run."""
        return (self.status.started_at or self.now) + self.plan.limits.timeout

    @property
    def rolled_out(self) -> bool:
        """Whether somebody changed the target since the run began."""
        target, workload = self.status.target, self.facts.target.workload
        return target is not None and workload is not None and workload.meta.generation != target.generation

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
        """Whether the rest of the action and its verification still fit into the run."""
        left = max(self.rung.timeout - self.acted_for, timedelta(0))
        return self.now + left + self.plan.verify.within <= self.deadline

    @property
    def had_effect(self) -> bool:
        return any(step.effect_count for step in self.status.steps)

    def view(self) -> StepView:
        return StepView(self.rung.action, self.step, self.facts.target, self.facts.signals, self.plan.limits, self.now)


def advance_step(facts: RunFacts, planner: Planner, stop: Problem | None, now: datetime) -> StepAdvance:
    """Decide what comes next in the current step.

    Args:
        facts: all that is known; the run is Running and holds the target's Lease.
        planner: the action of the current step.
        stop: why the run shall stop, if somebody wants that.
        now: the present.
    """
    status = facts.run.status
    if status.plan is None or not status.steps:
        raise ValueError("a running run has a plan and a step")
    rung = status.plan.ladder[len(status.steps) - 1]
    here = _Here(facts, planner, status.plan, rung, status.steps[-1], stop, now)
    if here.step.state is StepState.WAITING:
        return _waiting(here)
    if here.step.state is StepState.ACTING:
        return _acting(here)
    if here.step.state is StepState.VERIFYING:
        return _verifying(here)
    return _done(here)


def _end(here: _Here, phase: RunPhase, reason: Reason, message: str) -> StepAdvance:
    return StepAdvance(record.finish(here.status, phase, reason, message, here.now))


def _end_step(here: _Here, result: StepResult, reason: Reason, message: str) -> StepAdvance:
    return StepAdvance(record.finish_step(here.status, result, reason, message, here.now))


def _waiting(here: _Here) -> StepAdvance:
    """Before the action: is it still wanted, does it still fit, do the gates let it?"""
    if here.stop is not None:
        return _end(here, RunPhase.CANCELLED, here.stop.reason, here.stop.message)
    if all_clear(here.facts.signals):
        if here.had_effect:
            return StepAdvance(record.begin_verify(here.status, here.now))
        message = "the signals cleared before the first effect"
        return _end(here, RunPhase.CANCELLED, Reason.SELF_RECOVERED, message)
    if here.rolled_out:
        return _end(here, RunPhase.INCONCLUSIVE, Reason.TARGET_CHANGED, "somebody rolled the target out meanwhile")
    if not here.fits:
        return _out_of_time(here)
    request = EffectRequest(here.planner.action_class, here.facts.target, here.plan.limits)
    refusal = first_step_refusal(request, here.now)
    if refusal is not None:
        return _hold(here, refusal)
    created = [pod.meta.created_at for pod in here.facts.target.pods if pod.meta.created_at is not None]
    return StepAdvance(record.begin_action(here.status, max(created, default=None), here.now))


def _out_of_time(here: _Here) -> StepAdvance:
    """There is no time left for the action: the gate that took it is the reason."""
    gate = here.step.reason if here.step.waiting_since is not None and here.step.reason else Reason.DEADLINE_EXCEEDED
    message = here.step.message or "the step and its verification do not fit into limits.timeout any more"
    return _end_step(here, StepResult.BLOCKED, Reason(gate), message)


def _hold(here: _Here, refusal: Refusal) -> StepAdvance:
    held = record.hold(here.status, refusal.reason, refusal.message, here.now)
    return StepAdvance(held, next_look=refusal.later(here.now, LOOK))


def _acting(here: _Here) -> StepAdvance:
    """During the action: first what is open, then the next effect, then verification."""
    view = here.view()
    pending = next((effect for effect in here.step.effects if effect.outcome is None), None)
    if pending is not None:
        return _pending_effect(here, view, pending)
    open_effect = next((effect for effect in here.step.effects if _unsettled(effect)), None)
    if open_effect is not None:
        return _settle(here, view, open_effect)
    failed = next((effect for effect in here.step.effects if effect.outcome is EffectOutcome.FAILED), None)
    if failed is not None:
        return _end_step(here, StepResult.ERROR, Reason.EFFECT_FAILED, failed.message or "the effect was refused")
    proposal = None if _enough(here) else here.planner.propose(view)
    if proposal is None:
        return _await_pending(here) or _leave_action(here)
    if here.acted_for >= here.rung.timeout:
        return _end_step(here, StepResult.UNVERIFIED, Reason.STEP_TIMEOUT, f"not done within {here.rung.timeout}")
    request = EffectRequest(here.planner.action_class, here.facts.target, here.plan.limits, proposal.pod)
    refusal = first_step_refusal(request, here.now)
    if refusal is None:
        return StepAdvance(record.intend(here.status, proposal.effect, here.now), effect=proposal.effect)
    return _hold(here, refusal) if here.fits else _out_of_time(here)


def _unsettled(effect: EffectStatus) -> bool:
    return effect.outcome in (EffectOutcome.EVICTED, EffectOutcome.GONE) and effect.settled_at is None


def _enough(here: _Here) -> bool:
    """Whether no further effect is wanted: somebody stops the run, changed the target, or all is well again."""
    return here.stop is not None or here.rolled_out or all_clear(here.facts.signals)


def _await_pending(here: _Here) -> StepAdvance | None:
    """Nothing to act on yet, but a trigger's condition holds and its `for` runs: wait inside the step's timeout.

    A leader that has just started knows nothing of the time before it: without this wait it would find nothing to do.
    """
    fires_at, left = next_change(here.facts.signals), here.rung.timeout - here.acted_for
    if fires_at is None or left <= timedelta(0) or _enough(here):
        return None
    return StepAdvance(here.status, next_look=min(fires_at, here.now + min(left, LOOK)))


def _leave_action(here: _Here) -> StepAdvance:
    if here.step.effects:
        return StepAdvance(record.begin_verify(here.status, here.now))
    if here.stop is not None:
        return _end(here, RunPhase.CANCELLED, here.stop.reason, here.stop.message)
    if here.rolled_out:
        return _end(here, RunPhase.INCONCLUSIVE, Reason.TARGET_CHANGED, "somebody rolled the target out meanwhile")
    if all_clear(here.facts.signals) and not here.had_effect:
        return _end(here, RunPhase.CANCELLED, Reason.SELF_RECOVERED, "the signals cleared before the first effect")
    return _end_step(here, StepResult.NOTHING_TO_DO, Reason.NOTHING_TO_DO, "no pod to act on")


def _pending_effect(here: _Here, view: StepView, effect: EffectStatus) -> StepAdvance:
    """An intent without an outcome: look first, then ask the gates again, then repeat the same effect."""
    outcome = here.planner.look(effect, view)
    if outcome is not None:
        return StepAdvance(record.record_outcome(here.status, effect.id, outcome, None, here.now))
    refused = here.facts.refused
    gate = refused or first_step_refusal(
        EffectRequest(here.planner.action_class, here.facts.target, here.plan.limits), here.now
    )
    if _enough(here) or (gate is not None and not here.fits):
        # The server said no, or was never asked since the last look: without an outcome there was no effect.
        status = record.record_outcome(here.status, effect.id, EffectOutcome.WITHDRAWN, None, here.now)
        if gate is None or _enough(here):
            return StepAdvance(status)
        return StepAdvance(record.finish_step(status, StepResult.BLOCKED, gate.reason, gate.message, here.now))
    if gate is not None and (gate.next_look is None or gate.next_look > here.now):
        return _hold(here, gate)
    return StepAdvance(here.status, effect=effect)


def _settle(here: _Here, view: StepView, effect: EffectStatus) -> StepAdvance:
    """Wait for the consequence of an effect: the replacement Ready, inside the step's timeout."""
    if here.planner.settled(effect, view):
        return StepAdvance(record.record_replaced(here.status, effect.id, here.now))
    left = here.rung.timeout - here.acted_for
    if left <= timedelta(0):
        message = f"the replacement of {effect.object} was not Ready within the step's timeout"
        return _end_step(here, StepResult.UNVERIFIED, Reason.STEP_TIMEOUT, message)
    return StepAdvance(here.status, next_look=here.now + min(left, LOOK))


def _verifying(here: _Here) -> StepAdvance:
    """After the action: the signals that fired must be good for healthyFor, by fresh observations, within `within`."""
    verify, signals = here.plan.verify, here.facts.signals
    began = here.step.verify_started_at or here.now
    if here.rolled_out:
        return _end_step(
            here, StepResult.INCONCLUSIVE, Reason.TARGET_CHANGED, "somebody rolled the target out meanwhile"
        )
    good = good_since(signals)
    if good is not None:
        good = max(good, began)
        latest = fresh_at(signals)
        if latest is not None and latest - good >= verify.healthy_for:
            held = record.change_step(here.status, good_since=good)
            message = "; ".join(signal.message for signal in signals)
            return StepAdvance(record.finish_step(held, StepResult.VERIFIED, Reason.VERIFIED, message, here.now))
    if here.now >= began + verify.within:
        if not signals or any(signal.state is SignalState.UNKNOWN for signal in signals):
            return _end_step(here, StepResult.INCONCLUSIVE, Reason.NO_SIGNAL, "there was no data to verify by")
        message = "; ".join(signal.message for signal in signals)
        return _end_step(here, StepResult.UNVERIFIED, Reason.UNVERIFIED, message)
    if here.now >= here.deadline:
        return _end_step(here, StepResult.INCONCLUSIVE, Reason.DEADLINE_EXCEEDED, "limits.timeout ended verification")
    moments = [began + verify.within, here.now + LOOK]
    if good is not None:
        moments.append(max(good + verify.healthy_for, here.now + LOOK / 10))
    return StepAdvance(here.status, next_look=min(moments))


def _done(here: _Here) -> StepAdvance:
    """A step has its result: the next rung, or the end."""
    result = here.step.result or StepResult.INCONCLUSIVE
    if climbs(result):
        if here.stop is not None:
            return _end(here, RunPhase.CANCELLED, here.stop.reason, here.stop.message)
        if len(here.status.steps) < len(here.plan.ladder):
            return StepAdvance(record.next_step(here.status))
    ending = ending_of(list(here.status.steps))
    status = here.status
    if ending.phase is RunPhase.SUCCEEDED:
        status = status.model_copy(update={"recovered_at": here.step.good_since})
    return StepAdvance(record.finish(status, ending.phase, ending.reason, ending.message, here.now))
