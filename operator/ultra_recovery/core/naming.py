"""Every derived name and key, one function each."""

from __future__ import annotations

import hashlib

from ultra_recovery.apis.meta import ApiType
from ultra_recovery.core.objects import Key

LEADER_LEASE = "ultra-recovery-leader"
_MAX_NAME = 253


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


def spec_digest(part: ApiType) -> str:
    """Digest of a part of a spec, to see across restarts whether it was changed.

    What equals its default is left out: a newer version with more fields finds the same digest.
    """
    return hashlib.sha256(part.model_dump_json(by_alias=True, exclude_defaults=True).encode()).hexdigest()[:16]
