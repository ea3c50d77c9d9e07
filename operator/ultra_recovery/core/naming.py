"""Every derived name and key, one function each."""

from __future__ import annotations

import hashlib

from ultra_recovery.apis.circuit_breaker import BreakerTarget, ExternalTarget
from ultra_recovery.apis.meta import ApiType
from ultra_recovery.core.objects import Key

LEADER_LEASE = "ultra-recovery-leader"
_MAX_NAME = 253
_MAX_LABEL = 63


def run_name(policy: str, incident: int, sequence: int) -> str:
    """Name of a run: the same incident and sequence always give the same name, so creating twice is creating once.

    A policy name that leaves no room is shortened and made unique by a hash.
    """
    suffix = f"-{incident}-{sequence}"
    if len(policy) + len(suffix) <= _MAX_NAME:
        return policy + suffix
    digest = hashlib.sha256(policy.encode()).hexdigest()[:10]
    head = policy[: _MAX_NAME - len(suffix) - len(digest) - 1].rstrip("-.")
    return f"{head}-{digest}{suffix}"


def lease_name(key: Key) -> str:
    """Name of the Lease that guards one object: a hash of its kind, namespace and name, so that any name fits."""
    digest = hashlib.sha256("\0".join((key.kind, key.namespace, key.name)).encode()).hexdigest()
    return f"ultra-recovery-{digest[:40]}"


def job_name(run: str, run_uid: str, step: str, *, undo: bool = False) -> str:
    """Name of the Job of a step: the same run and step always give the same name. At most 63 characters.

    The run's UID is in it: a run that was deleted and created again under its name does not find the old one's Job.
    """
    digest = hashlib.sha256("\0".join((run_uid, step, "undo" if undo else "do")).encode()).hexdigest()[:10]
    head = f"{run}-{step}"[: _MAX_LABEL - len(digest) - 1].replace(".", "-").rstrip("-")
    return f"{head}-{digest}"


def effect_key(run_uid: str, step: str) -> str:
    """Idempotency key of the one call or message of a step."""
    return hashlib.sha256("\0".join((run_uid, step)).encode()).hexdigest()[:32]


def label_value(text: str) -> str:
    """A text as the value of a label: cut to 63 characters, ending with a letter or digit."""
    return text[:_MAX_LABEL].rstrip("-._")


def target_digest(target: BreakerTarget) -> str:
    """Digest of what a breaker watches. The quorum of an external target is a threshold: it may change in place."""
    external = ExternalTarget() if target.external is not None else None
    return spec_digest(target.model_copy(update={"external": external}))


def spec_digest(part: ApiType) -> str:
    """Digest of a part of a spec, to see across restarts whether it was changed.

    What equals its default is left out: a newer version with more fields finds the same digest.
    """
    return hashlib.sha256(part.model_dump_json(by_alias=True, exclude_defaults=True).encode()).hexdigest()[:16]


def requested_run_name(policy: str, request: str) -> str:
    """Name of a run that somebody asked for: the same request and policy always give the same name."""
    digest = hashlib.sha256("\0".join((request, policy)).encode()).hexdigest()[:16]
    head = policy[: _MAX_NAME - len(digest) - 1].rstrip("-.")
    return f"{head}-{digest}"
