"""runJob: a Job made from a suspended CronJob of the namespace, so that its author's rights and admission count.

Guarded: the Job's name follows from the run and the step, so creating it twice is creating it once.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from ultra_recovery.actions.job_watch import (
    CREATE_JOB,
    JOB_RIGHTS,
    UNDO_JOB,
    job_labels,
    observe_job,
    settlement_of,
    sighting_of,
)
from ultra_recovery.actions.performer import Errand, Toolbox
from ultra_recovery.apis.action import Action
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus
from ultra_recovery.core.action import EffectClass, Proposal, Settlement, Sighting, StepView, Traits
from ultra_recovery.core.errors import AlreadyExists, SpecError
from ultra_recovery.core.job_document import job_document
from ultra_recovery.core.naming import job_name
from ultra_recovery.core.step_gates import ActionClass


class RunJobAction:
    """Creates a Job and waits until it has finished."""

    def traits(self, action: Action) -> Traits:
        """As the step declares; guarded by the Job's name."""
        job = action.run_job
        if job is None:
            raise ValueError("not a runJob step")
        breakers = (job.breaker,) if job.breaker else ()
        return Traits(ActionClass(job.action_class), EffectClass.GUARDED, breakers, JOB_RIGHTS)

    def propose(self, view: StepView) -> Proposal | None:
        """One Job for the step."""
        if view.step.effects:
            return None
        return Proposal(self._effect(view, CREATE_JOB))

    @staticmethod
    def _effect(view: StepView, kind: str) -> EffectStatus:
        meta = view.run.meta
        name = job_name(meta.key.name, meta.uid, view.rung.name, undo=kind == UNDO_JOB)
        return EffectStatus(kind=kind, object=name, id=name, intent_at=view.now)

    def look(self, effect: EffectStatus, view: StepView) -> Sighting:
        """The Job is there: done."""
        return sighting_of(view.observations.get(effect.id))

    def settled(self, effect: EffectStatus, view: StepView) -> Settlement | None:
        """The Job has finished, or somebody removed it."""
        return settlement_of(view.observations.get(effect.id))

    def undo(self, view: StepView) -> EffectStatus | None:
        """A second Job, where the step names one and its own has, or may have, changed something."""
        job = view.action.run_job
        if job is None or job.undo is None or view.step.effect_count == 0:
            return None
        return self._effect(view, UNDO_JOB)

    async def observe(self, errand: Errand, tools: Toolbox) -> object | None:
        """The Job as it is now, with what its pods said last.

        Raises:
            ApiError: it cannot be read.
        """
        return await observe_job(errand, tools)

    async def perform(self, errand: Errand, tools: Toolbox) -> Sighting:
        """Create the Job.

        Raises:
            ApiError: it was not created, or it is not known whether it was.
            SpecError: there is no such CronJob, or it is not suspended.
        """
        job, effect = errand.rung.action.run_job, errand.effect
        if job is None:
            raise ValueError("not a runJob step")
        name = job.undo.cron_job_name if effect.kind == UNDO_JOB and job.undo else job.cron_job_name
        cron_job = await tools.jobs.read_cron_job(errand.namespace, name)
        if cron_job is None:
            message = f"CronJob {name} does not exist in namespace {errand.namespace}"
            raise SpecError(Reason.TARGET_NOT_FOUND, message)
        document = job_document(
            cron_job,
            name=effect.object,
            labels=job_labels(errand),
            environment=environment(errand),
            deadline_seconds=max(int(errand.rung.timeout.total_seconds()), 1),
        )
        # It exists where an earlier attempt created it and its answer was lost, or its writer died.
        with contextlib.suppress(AlreadyExists):
            await tools.jobs.create_job(errand.namespace, document)
        return Sighting(EffectOutcome.CREATED)


def environment(errand: Errand) -> Mapping[str, str]:
    """What the Job is told, as RECOVERY_* variables; all of it bounded by the types of the run."""
    run, target, spec = errand.run, errand.run.status.target, errand.run.spec
    values = {
        "RUN": run.meta.key.name,
        "NAMESPACE": errand.namespace,
        "STEP": errand.rung.name,
        "POLICY": spec.policy_name if spec else "",
        "CAUSE": spec.cause if spec else "",
        "INCIDENT": str(spec.incident or "") if spec else "",
        "ERROR_TYPE": (spec.error_type or "") if spec else "",
        "TARGET_KIND": target.kind if target else "",
        "TARGET_NAME": target.name if target else "",
    }
    for key, value in sorted(((spec.context if spec else None) or {}).items()):
        values[f"CONTEXT_{re.sub('[^A-Za-z0-9]', '_', key).upper()}"] = value
    return {f"RECOVERY_{name}": value for name, value in values.items()}
