"""Jobs of the action runJob: the document that is created, and what a Job and its pods say of how it went."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.objects import Pod, Terminated

MAX_VARIABLES = 32
MAX_VALUE = 1024
"""Characters of a value."""
TTL = 3600
"""Seconds that a finished Job is kept when its author has not said for how long."""
MAX_EVIDENCE = 2048
MAX_MESSAGE = 512
"""Characters of a message."""
MAX_REPORT = 4096
"""Bytes of a termination message that is read as JSON; the kubelet keeps no more either."""
_NAME = re.compile(r"RECOVERY_[A-Z0-9_]{1,64}")
_NEVER = datetime.min.replace(tzinfo=UTC)


def job_document(
    cron_job: Mapping[str, Any],
    *,
    name: str,
    labels: Mapping[str, str],
    environment: Mapping[str, str],
    deadline_seconds: int,
) -> dict[str, Any]:
    """The Job that `kubectl create job --from` makes of a CronJob, plus what the operator adds.

    Args:
        cron_job: the CronJob as the API server has it; it is not changed.
        name: name of the Job.
        labels: labels of the Job; they go before the template's.
        environment: variables for every container that has none of that name. Names other than RECOVERY_… are left
            out, values are cut at `MAX_VALUE` characters and reach the container as they are, without expansion.
        deadline_seconds: seconds after which Kubernetes ends the Job; the template's own, if that is shorter.

    Raises:
        SpecError: no Job can be made of the CronJob.
    """
    meta, spec = cron_job["metadata"], cron_job.get("spec") or {}
    template = spec.get("jobTemplate") or {}
    _refuse(meta, spec, template)
    job: dict[str, Any] = copy.deepcopy(dict(template["spec"]))
    job["activeDeadlineSeconds"] = max(1, min(deadline_seconds, job.get("activeDeadlineSeconds") or deadline_seconds))
    job.setdefault("ttlSecondsAfterFinished", TTL)
    variables = _variables(environment)
    for container in _containers(job["template"]["spec"]):
        own = container.get("env") or []
        taken = {item.get("name") for item in own}
        container["env"] = [*own, *(item for item in variables if item["name"] not in taken)]
    parts = template.get("metadata") or {}
    # Without blockOwnerDeletion, as kubectl: that would need rights on the CronJob's finalizers.
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": meta["name"], "uid": meta["uid"], "controller": True}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": {**(parts.get("labels") or {}), **labels},
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual", **(parts.get("annotations") or {})},
            "ownerReferences": [owner],
        },
        "spec": job,
    }


def _refuse(meta: Mapping[str, Any], spec: Mapping[str, Any], template: Mapping[str, Any]) -> None:
    problem = ""
    if meta.get("deletionTimestamp"):
        problem = "is being deleted, and its Jobs with it"
    elif spec.get("suspend") is not True:
        problem = "is not suspended: set spec.suspend to true, so that it runs only as a recovery step"
    elif not next(_containers(((template.get("spec") or {}).get("template") or {}).get("spec") or {}), None):
        problem = "has no container in spec.jobTemplate"
    if problem:
        raise SpecError(Reason.CRON_JOB_UNUSABLE, f"CronJob {meta['name']} {problem}")


def _containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod.get("containers") or ()
    yield from pod.get("initContainers") or ()


def _variables(environment: Mapping[str, str]) -> list[dict[str, str]]:
    names = [name for name in sorted(environment) if _NAME.fullmatch(name)]
    return [{"name": name, "value": _literal(environment[name])} for name in names[:MAX_VARIABLES]]


def _literal(value: str) -> str:
    """A value that Kubernetes passes on as it is: "$(OTHER)" would otherwise be replaced, and NUL ends a variable."""
    return _readable(value.replace("\0", ""))[:MAX_VALUE].replace("$", "$$")


class JobState(StrEnum):
    """Where a Job stands. Gone: it was deleted, so nothing more will be known of it."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GONE = "Gone"


@dataclass(frozen=True, slots=True)
class JobResult:
    """What is known of a Job.

    Attributes:
        message: a sentence, at most 1024 characters.
        changed: whether the Job says that it changed anything; None when it does not say.
        evidence: its last termination message, at most 2048 characters.
    """

    state: JobState
    message: str
    changed: bool | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class _Report:
    text: str
    message: str
    changed: bool | None


def job_result(job: Mapping[str, Any] | None, pods: Sequence[Pod]) -> JobResult:
    """How a Job went, by its conditions and its pods. Never raises for what a container wrote.

    A pod shows its end about two seconds before the Job does, so as many successful pods as the Job asks for count as
    its success. Its failure is for the Job to say: it may try again.

    Args:
        job: the Job as the API server has it, None when there is none any more.
        pods: pods of its namespace; those of others are left out.
    """
    if job is None:
        return JobResult(JobState.GONE, "the Job was deleted before its result was seen")
    own = [pod for pod in pods if pod.owner is not None and pod.owner.uid == job["metadata"].get("uid", "")]
    state, why = _state(job, own)
    if state is JobState.RUNNING:
        return JobResult(state, "the Job has not ended")
    ends = _ends(own, succeeded=state is JobState.SUCCEEDED)
    reports = [_report(end.message) for end in ends if end.message]
    message, evidence = f"the Job {state.lower()}{why}", ""
    if reports:
        message, evidence = f"{message}: {reports[-1].message}", shorten(reports[-1].text, MAX_EVIDENCE)
    elif ends and state is JobState.FAILED:
        last = ends[-1]
        message = f"{message}: container {last.container} ended with {last.exit_code} {last.reason}".rstrip()
    said = [report.changed for report in reports if report.changed is not None]
    return JobResult(state, shorten(message, 2 * MAX_MESSAGE), any(said) if said else None, evidence)


def _state(job: Mapping[str, Any], pods: Sequence[Pod]) -> tuple[JobState, str]:
    status = job.get("status") or {}
    true = {item.get("type"): item for item in status.get("conditions") or () if item.get("status") == "True"}
    for type_ in ("Failed", "FailureTarget"):
        if type_ in true:
            reason = true[type_].get("reason")
            return JobState.FAILED, f" ({shorten(reason, 64)})" if reason else ""
    needed = (job.get("spec") or {}).get("completions") or 1
    enough = sum(pod.phase == "Succeeded" for pod in pods) >= needed
    if enough or "Complete" in true or "SuccessCriteriaMet" in true:
        return JobState.SUCCEEDED, ""
    return JobState.RUNNING, ""


def _ends(pods: Sequence[Pod], *, succeeded: bool) -> list[Terminated]:
    """Ends of the containers that tell of the Job's own end, the latest last."""
    ends = [end for pod in pods for end in pod.terminated if (end.exit_code == 0) is succeeded]
    # The containers of a pod come before its init containers; of equal times the container itself must be last.
    return sorted(reversed(ends), key=lambda end: end.finished_at or _NEVER)


def _report(text: str) -> _Report:
    """Read a termination message: a JSON object with `changed` and `message`, or any text."""
    readable = _readable(text)
    shown = _Report(readable, shorten(readable, MAX_MESSAGE), None)
    if len(readable.encode()) > MAX_REPORT:
        return shown
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return shown
    if not isinstance(document, dict):
        return shown
    changed, message = document.get("changed"), document.get("message")
    return _Report(
        readable,
        shorten(message, MAX_MESSAGE) if isinstance(message, str) else shown.message,
        changed if isinstance(changed, bool) else None,
    )


def shorten(text: str, limit: int) -> str:
    """One line of readable text, at most `limit` characters."""
    line = " ".join(_readable(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _readable(text: str) -> str:
    """Text that can be stored: without lone surrogates and control characters, which JSON can smuggle in."""
    whole = text.encode(errors="replace").decode()
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in whole)
