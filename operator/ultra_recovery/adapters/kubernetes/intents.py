"""The port Intents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import MERGE_PATCH, Connection
from ultra_recovery.adapters.kubernetes.paths import path_of
from ultra_recovery.core.objects import Key

APPLY_PATCH = "application/apply-patch+yaml"
REPORT_MANAGER = "ultra-recovery-report-"
"""Begin of the field manager of a reporter's entry."""


class KubernetesIntents:
    """Annotates single objects, and reports to breakers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def annotate(self, key: Key, annotations: Mapping[str, str], version: str = "") -> Mapping[str, Any]:
        """Set annotations by a merge patch, which answers 409 for another version."""
        meta: dict[str, Any] = {"annotations": dict(annotations)}
        if version:
            meta["resourceVersion"] = version
        path = path_of(key.kind, key.namespace, key.name)
        return await self._connection.request("PATCH", path, body={"metadata": meta}, content_type=MERGE_PATCH)

    async def apply_reporter(self, key: Key, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """Apply the entry on the server's side, with the reporter's own field manager and without force.

        Each reporter owns its entry, so that reports never meet each other, nor the operator's status.
        """
        body = {
            "apiVersion": key.kind.api_version,
            "kind": str(key.kind),
            "metadata": {"name": key.name, "namespace": key.namespace},
            "status": {"reporters": [dict(entry)]},
        }
        path = path_of(key.kind, key.namespace, key.name, "status")
        query = {"fieldManager": f"{REPORT_MANAGER}{entry['name']}", "force": "false"}
        return await self._connection.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)
