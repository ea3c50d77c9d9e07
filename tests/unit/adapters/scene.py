"""Objects around a Service, for tests of resolving and probing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultra_recovery.adapters.memory import FakeClock, MemoryApi
from ultra_recovery.core.objects import Key, Kind


class Scene:
    """A view with Services, their slices and pods, in one namespace."""

    def __init__(self, namespace: str = "shop") -> None:
        self.namespace = namespace
        self.view = MemoryApi(FakeClock())

    def service(self, name: str = "orders", port: int = 80, port_name: str = "", **spec: Any) -> None:
        ports = [{"port": port, "targetPort": 8080} | ({"name": port_name} if port_name else {})]
        self._add(Kind.SERVICE, name, {"spec": {"ports": ports, **spec}})

    def slice(
        self, endpoints: Sequence[Mapping[str, Any]], service: str = "orders", port: int = 8080, port_name: str = ""
    ) -> None:
        name = f"{service}-{len(self.view.store.documents)}"
        labels = {"kubernetes.io/service-name": service}
        document = {"endpoints": list(endpoints), "ports": [{"name": port_name, "port": port}]}
        self._add(Kind.ENDPOINT_SLICE, name, document, labels)

    def pod(self, name: str, *addresses: str, host_network: bool = False) -> None:
        status = {"podIPs": [{"ip": address} for address in addresses], "phase": "Running"}
        self._add(Kind.POD, name, {"spec": {"hostNetwork": host_network}, "status": status})

    def ready_pod(self, name: str, address: str) -> Mapping[str, Any]:
        """Add a pod; returns its endpoint."""
        self.pod(name, address)
        return self.endpoint(address, name)

    def endpoint(
        self, address: str, pod: str = "", *, ready: bool | None = True, namespace: str = ""
    ) -> Mapping[str, Any]:
        reference = {"kind": "Pod", "name": pod, "namespace": namespace or self.namespace}
        conditions = {} if ready is None else {"ready": ready}
        return {"addresses": [address], "conditions": conditions} | ({"targetRef": reference} if pod else {})

    def remove(self, kind: Kind, name: str) -> None:
        self.view.store.remove(Key(kind, self.namespace, name))

    def _add(self, kind: Kind, name: str, document: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
        meta = {"namespace": self.namespace, "name": name, "labels": dict(labels or {})}
        self.view.store.add(kind, {"metadata": meta, **document})
