"""The Kubernetes Job that carries out an action on a database. Pure.

It runs our own image in the namespace of the breaker, without a service-account token, with the credentials mounted.
It is never tried again by Kubernetes: a pod that dies half-way has at most one effect, and the run looks what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ultra_recovery.core.database_request import REQUEST_VARIABLE, SECRETS_FOLDER, DatabaseRequest, Part

TTL = 3600
"""Seconds that a finished Job is kept."""
_RESTORE_TRIES = 6
_USER = 65532


@dataclass(frozen=True, slots=True)
class Mounts:
    """What a Job gets to see, by name: Secrets, and whether the first one's key ca.crt is needed."""

    probe: str
    recovery: str | None = None
    pooler: str | None = None
    authority: bool = False


def database_job(request: DatabaseRequest, image: str, labels: Mapping[str, str], mounts: Mounts) -> dict[str, Any]:
    """The Job document for a request.

    Args:
        request: what it is to do; its id is the Job's name.
        image: our own image, as the operator itself runs it.
        labels: labels of the Job and its pod.
        mounts: what is mounted under `SECRETS_FOLDER`.
    """
    volumes, places = _volumes(mounts)
    later = request.part is Part.RESTORE_LATER
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": request.id, "namespace": request.namespace, "labels": dict(labels)},
        "spec": {
            # Only what sets an old value again, if nobody else changed it, may be tried again.
            "backoffLimit": _RESTORE_TRIES if later else 0,
            "activeDeadlineSeconds": request.deadline_seconds + request.restore_after_seconds,
            "ttlSecondsAfterFinished": TTL,
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {
                    "restartPolicy": "OnFailure" if later else "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 5,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _USER,
                        "runAsGroup": _USER,
                        "fsGroup": _USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(request, image, places)],
                    "volumes": volumes,
                },
            },
        },
    }


def _container(request: DatabaseRequest, image: str, places: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "recovery",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["job"],
        # A dollar sign would otherwise be taken for a reference to another variable.
        "env": [{"name": REQUEST_VARIABLE, "value": _text(request).replace("$", "$$")}],
        "terminationMessagePolicy": "File",
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": places,
    }


def _text(request: DatabaseRequest) -> str:
    return request.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)


def _volumes(mounts: Mounts) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    volumes: list[dict[str, Any]] = []
    for name, secret in (("probe", mounts.probe), ("recovery", mounts.recovery), ("pooler", mounts.pooler)):
        if secret is not None:
            keys = ("username", "password", *(("ca.crt",) if name == "probe" and mounts.authority else ()))
            items = [{"key": key, "path": key} for key in keys]
            volumes.append({"name": name, "secret": {"secretName": secret, "defaultMode": 0o440, "items": items}})
    places = [
        {"name": volume["name"], "mountPath": f"{SECRETS_FOLDER}/{volume['name']}", "readOnly": True}
        for volume in volumes
    ]
    return volumes, places
