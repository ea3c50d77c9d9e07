"""The port Databases: from a target to the addresses and Secrets that a Job may use."""

from __future__ import annotations

from ultra_recovery.adapters.http.address import Policy
from ultra_recovery.adapters.http.resolve import Destination, Resolver
from ultra_recovery.apis.database import DatabaseTarget, Pooler, PoolerPods, PostgresTarget
from ultra_recovery.apis.endpoint import ServiceRef, SocketTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.errors import SpecError, Unavailable
from ultra_recovery.core.objects import Kind, Pod
from ultra_recovery.core.secret_consent import login_of
from ultra_recovery.database_ports import Located, Secrets
from ultra_recovery.ports import View

MAX_PLACES = 32
"""Addresses of one kind that are handed on."""


class DatabaseLocator:
    """Finds servers, poolers and hooks. Whatever is found was checked by the address policy."""

    def __init__(self, view: View, policy: Policy, resolver: Resolver, secrets: Secrets) -> None:
        self._view = view
        self._policy = policy
        self._resolver = resolver
        self._secrets = secrets

    async def locate(self, namespace: str, breaker: str, target: DatabaseTarget, hook: ServiceRef | None) -> Located:
        """Resolve and check every address, and every Secret that the target names."""
        pooler = target.pooler if isinstance(target, PostgresTarget) else None
        references = [target.credentials_secret_ref, target.recovery_secret_ref]
        references.append(pooler.admin_secret_ref if pooler is not None else None)
        for reference in references:
            if reference is not None:
                login_of(reference.name, await self._secrets.read(namespace, reference.name, breaker))
        server = await self.server(namespace, target)
        if not server.addresses:
            # Away now: the Job waits for it, and the address of its pod is where it comes back.
            server = await self._destination(namespace, target, unready=True)
        return Located(
            servers=_places(server),
            server_name=target.tls.server_name or server.name,
            poolers=await self.poolers(namespace, pooler) if pooler is not None else (),
            hooks=_places(await self._destination(namespace, SocketTarget(service_ref=hook)))
            if hook is not None
            else (),
        )

    async def server(self, namespace: str, target: DatabaseTarget) -> Destination:
        """Where the server is.

        Raises:
            SpecError: it does not exist, or is not allowed.
            Unavailable: its name cannot be resolved now.
        """
        return await self._destination(namespace, target)

    async def poolers(self, namespace: str, pooler: Pooler) -> tuple[Place, ...]:
        """Every replica of the pooler.

        Raises:
            SpecError: it does not exist, or is not allowed.
        """
        if pooler.pod_selector is not None:
            return self._selected(namespace, pooler.pod_selector)
        return await self._pods_behind(namespace, pooler.service_ref)

    async def _pods_behind(self, namespace: str, service: ServiceRef | None) -> tuple[Place, ...]:
        return _places(await self._destination(namespace, SocketTarget(service_ref=service)))

    def _selected(self, namespace: str, wanted: PoolerPods) -> tuple[Place, ...]:
        found = []
        for pod in self._view.select(Kind.POD, namespace):
            if not isinstance(pod, Pod) or not pod.ready or pod.host_network or not pod.ips:
                continue
            if all(pod.meta.labels.get(key) == value for key, value in wanted.match_labels.items()):
                refusal = self._policy.refuse_pod(pod.ips[0])
                if refusal is not None:
                    raise SpecError(Reason.TARGET_NOT_ALLOWED, refusal)
                found.append(Place(host=pod.ips[0], port=wanted.port, pod=pod.meta.key.name))
        return tuple(found[:MAX_PLACES])

    async def _destination(self, namespace: str, target: SocketTarget, *, unready: bool = False) -> Destination:
        try:
            destination = await self._resolver.resolve_tcp(namespace, target, unready=unready)
        except OSError as error:
            raise Unavailable("the name of the server cannot be resolved now") from error
        if destination.unseen:
            raise Unavailable(destination.empty)
        return destination


def _places(destination: Destination) -> tuple[Place, ...]:
    return tuple(Place(host=host, port=port) for host, port in destination.addresses[:MAX_PLACES])
