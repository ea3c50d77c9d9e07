"""From a target to the addresses it has now, each checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ultra_recovery.adapters.http.address import Policy
from ultra_recovery.apis.circuit_breaker import HttpTarget, ServiceRef
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.objects import EndpointSlice, Key, Kind, Pod, Service
from ultra_recovery.ports import View

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host name. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a probe may go.

    Attributes:
        addresses: checked addresses and ports; empty when there is no ready endpoint.
        host: the name for the Host header and, with TLS, for SNI.
        verify: whether a certificate is verified.
        path: path and query of the request.
    """

    addresses: tuple[tuple[str, int], ...]
    host: str
    secure: bool
    verify: bool
    path: str
    empty: str = ""


async def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Resolver:
    """Finds the addresses of targets and checks every one; a checked address is what is connected to."""

    def __init__(self, view: View, policy: Policy, lookup: Lookup = look_up) -> None:
        self._view = view
        self._policy = policy
        self._lookup = lookup

    async def resolve(self, namespace: str, target: HttpTarget) -> Destination:
        """The destination of a target.

        Raises:
            SpecError: the target does not exist, or is not allowed.
            OSError: its name cannot be resolved now.
        """
        if target.service_ref is not None:
            return await self._service(namespace, target, target.service_ref)
        if target.url is None:
            raise SpecError(Reason.INVALID_SPEC, "spec.target.http: set serviceRef or url")
        return await self._url(target.url)

    async def _url(self, url: str) -> Destination:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise SpecError(Reason.TARGET_INVALID, "spec.target.http.url: the port cannot be read") from error
        secure = parts.scheme.lower() == "https"
        host = parts.hostname or ""
        if not host or parts.scheme.lower() not in ("http", "https") or parts.username or parts.password:
            raise SpecError(Reason.TARGET_INVALID, "spec.target.http.url: write http(s)://host[:port]/path, no user")
        number = port or (443 if secure else 80)
        addresses = await self._raw(host, number)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Destination(addresses, parts.netloc, secure, verify=True, path=path)

    async def _raw(self, host: str, port: int) -> tuple[tuple[str, int], ...]:
        found = list(dict.fromkeys(await self._lookup(host, port)))
        for address in found:
            refusal = self._policy.refuse_raw(host, address, port)
            if refusal is not None:
                raise SpecError(Reason.TARGET_NOT_ALLOWED, refusal)
        return tuple((address, port) for address in found)

    async def _service(self, namespace: str, target: HttpTarget, reference: ServiceRef) -> Destination:
        service = self._view.get(Key(Kind.SERVICE, namespace, reference.name))
        if not isinstance(service, Service):
            message = f"Service {reference.name} does not exist in namespace {namespace}"
            raise SpecError(Reason.TARGET_NOT_FOUND, message)
        host = f"{reference.name}.{namespace}.svc"
        secure = target.scheme == "HTTPS"
        if service.external_name:
            addresses = await self._raw(service.external_name, reference.port)
            return Destination(addresses, service.external_name, secure, verify=True, path=target.path)
        if reference.port not in service.ports:
            ports = ", ".join(str(port) for port in service.ports) or "none"
            message = f"Service {reference.name} has no port {reference.port}; its ports: {ports}"
            raise SpecError(Reason.TARGET_NOT_FOUND, message)
        addresses = tuple(sorted(self._endpoints(namespace, service, service.ports[reference.port])))
        empty = "" if addresses else f"no ready endpoint behind Service {reference.name}"
        return Destination(addresses, host, secure, verify=False, path=target.path, empty=empty)

    def _endpoints(self, namespace: str, service: Service, port_name: str) -> set[tuple[str, int]]:
        found = set()
        for item in self._view.select(Kind.ENDPOINT_SLICE, namespace):
            if not isinstance(item, EndpointSlice) or item.service != service.meta.key.name:
                continue
            port = item.ports.get(port_name)
            for endpoint in item.endpoints if port is not None else ():
                self._check_endpoint(namespace, endpoint.address, endpoint.pod, port or 0)
                if endpoint.ready:
                    found.add((endpoint.address, port or 0))
        return found

    def _check_endpoint(self, namespace: str, address: str, pod_name: str, port: int) -> None:
        """An endpoint counts as a pod of the namespace only if that pod says so itself.

        Anybody who may write EndpointSlices can put any address beside any pod's name; the pod's own status cannot be
        written by them. A pod in the host's network has the node's address, and with it the kubelet's ports.
        """
        pod = self._view.get(Key(Kind.POD, namespace, pod_name)) if pod_name else None
        if isinstance(pod, Pod) and address in pod.ips and not pod.host_network:
            refusal = self._policy.refuse_pod(address)
        elif pod_name and pod is None:
            # The slice is ahead of our view of the pod, or behind it: not probed, and not held against the user.
            raise OSError(f"endpoint {pod_name} is not known yet")
        else:
            refusal = self._policy.refuse_raw(address, address, port)
        if refusal is not None:
            raise SpecError(Reason.TARGET_NOT_ALLOWED, refusal)
