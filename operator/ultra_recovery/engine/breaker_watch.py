"""Which breakers are probed fast for a run, and which learn of its success."""

from __future__ import annotations

from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.run_status import Plan, RunPhase, StepState, StepStatus
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.core.step_gates import ActionClass
from ultra_recovery.engine.breakers import Breakers

_AT_WORK = (StepState.ACTING, StepState.VERIFYING)


class BreakerWatch:
    """Keeps the breakers that a run looks at fresh.

    Those that fired, and those that the step repairs, are probed at trialInterval while it acts and verifies; the
    dependencies also while it waits, since a step on the target's pods wants a fresh probe of each of them.
    """

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def follow(self, run: Run) -> None:
        """Take the new status of a run."""
        plan, steps = run.status.plan, run.status.steps
        if plan is None:
            return
        step = steps[-1] if steps and run.status.phase is RunPhase.RUNNING else None
        for name, wanted in _wanted(plan, step).items():
            key = Key(Kind.BREAKER, run.meta.key.namespace, name)
            self._breakers.watch(key, run.meta.uid, wanted=wanted)

    def prove(self, run: Run) -> None:
        """Tell the breakers that a run has proven well. From the record: a leader that died may not have come to it.

        Nothing is told of runs that proved nothing.
        """
        plan, ended = run.status.plan, run.status.finished_at
        dry = run.spec is not None and run.spec.dry_run
        if plan is None or ended is None or dry or run.status.phase is not RunPhase.SUCCEEDED:
            return
        for name in _proven(plan):
            self._breakers.recovery_verified(Key(Kind.BREAKER, run.meta.key.namespace, name), ended)


def _wanted(plan: Plan, step: StepStatus | None) -> dict[str, bool]:
    """Every breaker of the plan, and whether it is to be probed fast now."""
    rung = next((item for item in plan.ladder if step is not None and item.name == step.name), None)
    performer = find_action(rung.action) if rung is not None else None
    traits = performer.traits(rung.action) if performer is not None and rung is not None else None
    works = step is not None and step.state in _AT_WORK
    disturbs = traits is not None and traits.action_class in (ActionClass.DISRUPTIVE, ActionClass.ROLLOUT)
    waits = step is not None and step.state is StepState.WAITING
    wanted = {item.breaker: works or (disturbs and waits) for item in plan.dependencies}
    for trigger in plan.triggers:
        if trigger.breaker is not None:
            wanted[trigger.breaker] = works or wanted.get(trigger.breaker, False)
    for other in plan.ladder:
        touched = other.action.breaker
        if touched is not None:
            repairs = (works or waits) and traits is not None and touched in traits.breakers
            wanted[touched] = repairs or wanted.get(touched, False)
    return wanted


def _proven(plan: Plan) -> set[str]:
    """The breakers that a verified run has proven well by fresh probes: those it was verified by."""
    if not plan.triggers:
        return {item.breaker for item in plan.dependencies}
    return {trigger.circuit_open.breaker for trigger in plan.triggers if trigger.circuit_open is not None}
