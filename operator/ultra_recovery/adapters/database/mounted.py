"""Credentials of a Job, as they are mounted; they are read for each login, so that a new password is used at once."""

from __future__ import annotations

from pathlib import Path

from ultra_recovery.adapters.database.access import Access
from ultra_recovery.apis.database import DatabaseTls
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import DatabaseRequest, Place
from ultra_recovery.job_ports import Role

_LARGEST = 64 * 1024
_OTHER = DatabaseTls(mode="Prefer")
"""How a pooler is spoken to: `tls` of the target is about the server behind it."""


class MountedAccess:
    """Makes an access of a place and a role."""

    def __init__(self, request: DatabaseRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._poolers = {(place.host, place.port) for place in request.poolers}

    def __call__(self, place: Place, role: Role, database: str) -> Access:
        """The access.

        Raises:
            DatabaseFault: the credentials are not mounted, or are empty.
        """
        behind = (place.host, place.port) in self._poolers
        tls = self._request.tls
        if behind and tls.mode != "Disable":
            tls = _OTHER
        verified = tls.mode == "VerifyFull"
        return Access(
            host=place.host,
            port=place.port,
            user=self._read(role, "username"),
            password=self._read(role, "password"),
            database=database,
            app_user=self._request.app_user,
            tls=tls,
            server_name="" if behind else self._request.server_name,
            authority=self._read(Role.PROBE, "ca.crt") if verified else None,
        )

    def _read(self, role: Role, key: str) -> str:
        path = self._folder / role / key
        try:
            text = path.read_text(encoding="utf-8") if path.stat().st_size <= _LARGEST else ""
        except (OSError, UnicodeDecodeError):
            text = ""
        if not text:
            raise DatabaseFault(FaultKind.CREDENTIALS, f"key {key} of the Secret for {role} is not mounted or empty")
        return text
