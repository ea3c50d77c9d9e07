"""The port Jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.core.errors import NotFound

_API_VERSION = "batch/v1"


class KubernetesJobs:
    """Jobs and CronJobs of batch/v1. All requests are prompt: what is read here decides about an effect at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read_cron_job(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The CronJob, or None."""
        return await self._read("cronjobs", namespace, name)

    async def read_job(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The Job, or None."""
        return await self._read("jobs", namespace, name)

    async def create_job(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a Job and return it as stored."""
        return await self._connection.request("POST", path(_API_VERSION, "jobs", namespace), body=document)

    async def _read(self, plural: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        try:
            return await self._connection.request("GET", path(_API_VERSION, plural, namespace, name), prompt=True)
        except NotFound:
            return None
