"""Whether the cluster serves our API, as new as we need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.apis.schema import SCHEMA_REVISION, revision_of
from ultra_recovery.core.errors import NotFound

UPGRADE = "kubectl apply --server-side --force-conflicts -f crds/"
"""What brings the CRDs of this version into a cluster."""
_OPENAPI = f"/openapi/v3/apis/{API_VERSION}"
_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"


async def missing_crds(connection: Connection) -> list[str]:
    """What the cluster lacks to serve our kinds, as sentences that say what to do; empty when it lacks nothing.

    It asks for what the API server publishes to everybody: nobody needs a right to read CRDs for it. CRDs that are
    newer than this version needs are fine.

    Raises:
        ApiError: the API server cannot be asked.
    """
    try:
        found = await connection.request("GET", path(API_VERSION))
    except NotFound:
        found = {}
    served = {item["name"] for item in found.get("resources") or ()}
    sentences = []
    for kind in KINDS:
        if kind.plural not in served:
            sentences.append(f"The cluster does not know {kind.kind} in {API_VERSION}. Run: {UPGRADE}")
        elif f"{kind.plural}/status" not in served:
            sentences.append(
                f"{kind.kind} in {API_VERSION} has no status subresource: its CRD ({kind.crd_name}) is not ours or is "
                f"outdated. Run: {UPGRADE}"
            )
    return sentences or await _outdated(connection)


async def _outdated(connection: Connection) -> list[str]:
    try:
        document = await connection.request("GET", _OPENAPI)
    except NotFound:
        # Published a moment later than the kinds themselves.
        document = {}
    revisions = _revisions(document)
    sentences = []
    for kind in KINDS:
        found = revisions.get(kind.kind, 0)
        if found < SCHEMA_REVISION:
            sentences.append(
                f"The CRD {kind.crd_name} of the cluster is too old: its schema is of revision {found} and this "
                f"version needs {SCHEMA_REVISION}; the API server would drop what it does not know. Run: {UPGRADE}"
            )
    return sentences


def _revisions(document: Mapping[str, Any]) -> dict[str, int]:
    """Kind → revision of the schema that the API server publishes."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    return {
        name["kind"]: revision_of(schema.get("description", ""))
        for schema in schemas.values()
        for name in schema.get(_GROUP_VERSION_KIND, ())
    }
