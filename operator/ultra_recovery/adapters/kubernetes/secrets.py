"""The port Secrets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import Forbidden, NotFound, SpecError
from ultra_recovery.core.secret_consent import grant, open_secret
from ultra_recovery.ports import Clock

KEPT = 60.0
"""Seconds for which a Secret is not read again: so long a changed password, or a withdrawn consent, may go unseen."""
_MAX_KEPT = 2000


class KubernetesSecrets:
    """Reads single Secrets by name. There is no right to list or watch any, so what was read is kept for a minute."""

    def __init__(self, connection: Connection, clock: Clock, account: str, account_namespace: str) -> None:
        self._connection = connection
        self._clock = clock
        self._account = account
        self._account_namespace = account_namespace
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, Mapping[str, str]]] = OrderedDict()

    async def read(self, namespace: str, name: str, breaker: str) -> Mapping[str, str]:
        """The Secret's data, decoded."""
        key = (namespace, name, breaker)
        kept = self._kept.get(key)
        if kept is not None and self._clock.boottime() - kept[0] < KEPT:
            return kept[1]
        self._kept.pop(key, None)
        data = await self._read(namespace, name, breaker)
        self._kept[key] = (self._clock.boottime(), data)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return data

    def forget(self, namespace: str, name: str) -> None:
        """Read a Secret again next time: what was in it has been refused."""
        for key in [key for key in self._kept if key[:2] == (namespace, name)]:
            del self._kept[key]

    async def _read(self, namespace: str, name: str, breaker: str) -> Mapping[str, str]:
        try:
            document = await self._connection.request("GET", path("v1", "secrets", namespace, name), prompt=True)
        except NotFound:
            message = f"Secret {name} does not exist in namespace {namespace}"
            raise SpecError(Reason.SECRET_NOT_FOUND, message) from None
        except Forbidden:
            manifest = grant(namespace, name, self._account, self._account_namespace)
            message = f"the operator may not get Secret {name}; grant it with kubectl apply -f - <<< '{manifest}'"
            raise SpecError(Reason.SECRET_FORBIDDEN, message) from None
        return open_secret(document, breaker)
