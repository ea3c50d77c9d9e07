"""Whether the cluster serves our API."""

from __future__ import annotations

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.core.errors import NotFound


async def missing_crds(connection: Connection) -> list[str]:
    """What the cluster lacks to serve our kinds, as sentences that say what to do; empty when it lacks nothing.

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
            sentences.append(f"The cluster does not know {kind.kind} in {API_VERSION}. Run: kubectl apply -f crds/")
        elif f"{kind.plural}/status" not in served:
            sentences.append(
                f"{kind.kind} in {API_VERSION} has no status subresource: its CRD ({kind.crd_name}) is not ours or is "
                "outdated. Run: kubectl apply -f crds/"
            )
    return sentences
