"""What all actions that create Jobs have in common: names of effects, labels, and how a Job is looked at."""

from __future__ import annotations

from ultra_recovery.actions.performer import Errand, Toolbox
from ultra_recovery.apis.meta import POLICY_LABEL, RUN_LABEL, STEP_LABEL
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome
from ultra_recovery.core.action import Settlement, Sighting
from ultra_recovery.core.job_document import JobResult, JobState, job_result
from ultra_recovery.core.naming import label_value
from ultra_recovery.core.objects import Kind, Pod
from ultra_recovery.core.rights import Right

CREATE_JOB = "CreateJob"
UNDO_JOB = "UndoJob"
JOB_RIGHTS = (Right("create", "jobs", "batch"),)
"""What somebody must be allowed to do who creates a Job by hand."""
_JOB_LABEL = "batch.kubernetes.io/job-name"


async def observe_job(errand: Errand, tools: Toolbox) -> JobResult:
    """The Job of an effect as it is now, with what its pods said last.

    Raises:
        ApiError: it cannot be read.
    """
    job = await tools.jobs.read_job(errand.namespace, errand.effect.object)
    pods = [
        pod
        for pod in tools.view.select(Kind.POD, errand.namespace)
        if isinstance(pod, Pod) and pod.meta.labels.get(_JOB_LABEL) == errand.effect.object
    ]
    return job_result(job, pods)


def sighting_of(seen: object | None) -> Sighting:
    """What a look at a Job says of the effect that creates it: it is there, so it was created."""
    if isinstance(seen, JobResult) and seen.state is not JobState.GONE:
        return Sighting(EffectOutcome.CREATED)
    return Sighting()


def settlement_of(seen: object | None) -> Settlement | None:
    """What came of a Job that was looked at: it has finished, or somebody removed it. None: not yet."""
    if not isinstance(seen, JobResult) or seen.state is JobState.RUNNING:
        return None
    if seen.state is JobState.SUCCEEDED:
        return Settlement(changed=seen.changed, evidence=seen.evidence or None)
    message = seen.message or "the Job was removed before its result was seen"
    return Settlement(False, Reason.EFFECT_FAILED, message, evidence=seen.evidence or None)


def job_labels(errand: Errand) -> dict[str, str]:
    """Labels that lead from a Job to its policy, run and step."""
    run = errand.run
    return {
        POLICY_LABEL: label_value(run.spec.policy_name if run.spec else ""),
        RUN_LABEL: label_value(run.meta.key.name),
        STEP_LABEL: errand.rung.name,
    }
