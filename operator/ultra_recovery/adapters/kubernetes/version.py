"""Whether the cluster has our custom resource definitions, in the version that this operator speaks."""

from __future__ import annotations

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.apis.meta import API_VERSION, GROUP, VERSION
from ultra_recovery.core.errors import NotFound


async def missing_crds(connection: Connection) -> list[str]:
    """A sentence for each kind that is not served at our version; empty when all is well.

    It asks discovery, which everybody may read: rights on CustomResourceDefinitions are not needed.

    Raises:
        ApiError: the API server could not be asked.
    """
    served = await _served(connection)
    missing = [kind for kind in KINDS if not {kind.plural, f"{kind.plural}/status"} <= served]
    if not missing:
        return []
    hint = f"install the CRDs of this operator's version (it needs {VERSION})"
    other = await _other_versions(connection)
    if other:
        hint += f"; the cluster serves {GROUP} at {', '.join(other)}"
    return [f"{kind.crd_name} is not served at {API_VERSION} with its status subresource: {hint}" for kind in missing]


async def _served(connection: Connection) -> set[str]:
    try:
        answer = await connection.request("GET", f"/apis/{API_VERSION}")
    except NotFound:
        return set()
    return {str(resource["name"]) for resource in answer.get("resources") or ()}


async def _other_versions(connection: Connection) -> list[str]:
    try:
        answer = await connection.request("GET", f"/apis/{GROUP}")
    except NotFound:
        return []
    return [str(item["version"]) for item in answer.get("versions") or () if item["version"] != VERSION]
