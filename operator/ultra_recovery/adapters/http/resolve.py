"""From a target to the addresses it has now, each checked."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from ultra_recovery.adapters.http.address import Address, Policy, forms
from ultra_recovery.apis.endpoint import ServiceRef, SocketTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.objects import Endpoint, Key, Kind, Pod, Service
from ultra_recovery.ports import View

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host name. Raises OSError."""
Place = tuple[str, int]
"""A checked address and a port."""
_MAX_TURNS = 10_000


class WebTarget(Protocol):
    """A target that is reached by HTTP, at a Service or at a URL."""

    @property
    def service_ref(self) -> ServiceRef | None:
        """The Service, or None."""

    @property
    def url(self) -> str | None:
        """The URL, or None."""

    @property
    def path(self) -> str:
        """Path and query towards the Service."""

    @property
    def scheme(self) -> str:
        """HTTP or HTTPS towards the Service."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a probe may go.

    Attributes:
        addresses: checked addresses and ports; empty when there is no ready endpoint.
        host: the Host header.
        name: the host alone, for SNI and the certificate.
        verify: whether a certificate is verified.
        path: path and query of the request.
        empty: why there is no address.
        unseen: there are ready endpoints, but none whose pod is in our view yet: nothing is known.
    """

    addresses: tuple[Place, ...]
    host: str
    name: str
    secure: bool = False
    verify: bool = True
    path: str = "/"
    empty: str = ""
    unseen: bool = False


class Turns:
    """Lets the probes of a target go to its addresses in turn."""

    def __init__(self) -> None:
        self._turns: OrderedDict[tuple[str, str], itertools.count[int]] = OrderedDict()

    def next(self, namespace: str, destination: Destination) -> Place:
        """The address whose turn it is; there must be one."""
        # With the port: targets that differ in it alone would otherwise take every turn from each other.
        key = (namespace, f"{destination.host}:{destination.addresses[0][1]}{destination.path}")
        turn = self._turns.setdefault(key, itertools.count())
        self._turns.move_to_end(key)
        if len(self._turns) > _MAX_TURNS:
            self._turns.popitem(last=False)
        return destination.addresses[next(turn) % len(destination.addresses)]


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

    async def resolve(self, namespace: str, target: WebTarget, field: str = "spec.target.http") -> Destination:
        """The destination of a target that is reached by HTTP; `field` is named in complaints.

        Raises:
            SpecError: the target does not exist, or is not allowed.
            OSError: its name cannot be resolved now.
        """
        if target.service_ref is not None:
            return await self._service(namespace, target.service_ref, target.path, secure=target.scheme == "HTTPS")
        if target.url is None:
            raise SpecError(Reason.INVALID_SPEC, f"{field}: set serviceRef or url")
        return await self._url(target.url, f"{field}.url")

    async def resolve_tcp(self, namespace: str, target: SocketTarget, *, unready: bool = False) -> Destination:
        """The destination of a target that is reached by a connection alone.

        Args:
            namespace: of the breaker.
            target: what to find.
            unready: whether pods that are not ready count too, for whoever waits until one is.

        Raises:
            SpecError: the target does not exist, or is not allowed.
            OSError: its name cannot be resolved now.
        """
        if target.service_ref is not None:
            return await self._service(namespace, target.service_ref, unready=unready)
        if target.address is None:
            raise SpecError(Reason.INVALID_SPEC, "spec.target.tcp: set serviceRef or address")
        host, _, port = target.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise SpecError(Reason.TARGET_INVALID, "spec.target.tcp.address: write host:port")
        name = host.removeprefix("[").removesuffix("]")
        return Destination(await self._raw(name, int(port)), target.address, name)

    async def _url(self, url: str, field: str) -> Destination:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SpecError(Reason.TARGET_INVALID, f"{field}: host or port cannot be read") from error
        if port == 0:
            raise SpecError(Reason.TARGET_INVALID, f"{field}: there is no port 0")
        secure = parts.scheme.lower() == "https"
        host = parts.hostname or ""
        if not host or parts.scheme.lower() not in ("http", "https") or parts.username or parts.password:
            raise SpecError(Reason.TARGET_INVALID, f"{field}: write http(s)://host[:port]/path, no user")
        number = port or (443 if secure else 80)
        addresses = await self._raw(host, number)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Destination(addresses, parts.netloc, host, secure, path=path)

    async def _raw(self, host: str, port: int) -> tuple[Place, ...]:
        _demand(self._policy.refuse_name(host, port))
        try:
            found = list(dict.fromkeys(await self._lookup(host, port)))
        except ValueError as error:
            # Not a name at all, such as one with an empty label: that is no outage, and must not open a breaker.
            raise SpecError(Reason.TARGET_INVALID, f"{host} is not a valid host name") from error
        for address in found:
            self._check_raw(host, address, port)
        return tuple((address, port) for address in found)

    def _check_raw(self, host: str, address: str, port: int) -> None:
        if not self._api_server().isdisjoint(forms(address)):
            _demand(f"{host}:{port} is the API server, which is never probed")
        _demand(self._policy.refuse_raw(host, address, port))

    def _api_server(self) -> set[Address]:
        """The API server's own addresses, behind its Service; not known where only some namespaces are watched.

        Compared as addresses, not as text: a name may resolve to a form that wraps the address, or spells it otherwise.
        """
        own = self._view.slices("default", "kubernetes")
        return {form for item in own for endpoint in item.endpoints for form in forms(endpoint.address)}

    async def _service(
        self, namespace: str, reference: ServiceRef, path: str = "/", *, secure: bool = False, unready: bool = False
    ) -> Destination:
        service = self._view.get(Key(Kind.SERVICE, namespace, reference.name))
        if not isinstance(service, Service):
            message = f"Service {reference.name} does not exist in namespace {namespace}"
            raise SpecError(Reason.TARGET_NOT_FOUND, message)
        host = f"{reference.name}.{namespace}.svc"
        if service.external_name:
            addresses = await self._raw(service.external_name, reference.port)
            return Destination(addresses, service.external_name, service.external_name, secure, path=path)
        if reference.port not in service.ports:
            ports = ", ".join(str(port) for port in service.ports) or "none"
            message = f"Service {reference.name} has no port {reference.port}; its ports: {ports}"
            raise SpecError(Reason.TARGET_NOT_FOUND, message)
        ready = self._endpoints(namespace, service, service.ports[reference.port], unready=unready)
        addresses = tuple(sorted({(item.address, port) for item, port in ready if self._seen(namespace, item, port)}))
        unseen = bool(ready) and not addresses
        empty = f"the pods behind Service {reference.name} are not known yet" if unseen else ""
        empty = empty or f"no ready endpoint behind Service {reference.name}"
        return Destination(addresses, host, host, secure, False, path, empty, unseen)

    def _endpoints(
        self, namespace: str, service: Service, port_name: str, *, unready: bool
    ) -> list[tuple[Endpoint, int]]:
        """Endpoints with the port they are reached on. Those that are not ready are never probed, so never judged."""
        found = []
        for item in self._view.slices(namespace, service.meta.key.name):
            port = item.ports.get(port_name)
            if port is not None:
                found += [(endpoint, port) for endpoint in item.endpoints if endpoint.ready or unready]
        return found

    def _seen(self, namespace: str, endpoint: Endpoint, port: int) -> bool:
        """Whether the endpoint may be probed now.

        It counts as a pod of the namespace only if that pod says so itself: anybody who may write EndpointSlices can
        put any address beside any pod's name, but not into the pod's status. A pod in the host's network has the
        node's address, and with it the kubelet's ports.

        Raises:
            SpecError: it is an address that is not allowed.
        """
        pod = self._view.get(Key(Kind.POD, namespace, endpoint.pod)) if endpoint.pod else None
        if endpoint.pod and (not isinstance(pod, Pod) or not pod.ips):
            # The slice is ahead of our view of the pod, or behind it: not probed, and not held against the user.
            return False
        if isinstance(pod, Pod) and endpoint.address in pod.ips and not pod.host_network:
            _demand(self._policy.refuse_pod(endpoint.address))
        else:
            self._check_raw(endpoint.address, endpoint.address, port)
        return True


def _demand(refusal: str | None) -> None:
    if refusal is not None:
        raise SpecError(Reason.TARGET_NOT_ALLOWED, refusal)
