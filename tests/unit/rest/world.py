"""The recovery API on in-memory twins, and callers with tokens."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from ultra_recovery.adapters.memory import FakeClock, MemoryApi, MemoryReviewer, MemoryStore
from ultra_recovery.adapters.rest_metrics import RestMetrics
from ultra_recovery.apis.meta import API_VERSION, format_time
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.rest.app import build_application
from ultra_recovery.rest.assembly import build_services
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.auth.kubernetes import KubernetesTokens
from ultra_recovery.rest.auth.limiter import FailureLimiter
from ultra_recovery.rest.auth.token_file import TokenFile

SCOPES = ("read", "trigger", "reset", "report", "approve", "force")
AUDIENCE = "ultra-recovery"
LADDER = [{"name": "restart", "action": {"restartPods": {}}}]
EXTERNAL: dict[str, Any] = {"external": {}}
PROBED: dict[str, Any] = {"http": {"serviceRef": {"name": "db", "port": 80}}}


def token(name: str) -> str:
    """The token of a caller."""
    return f"token-of-{name}-" + "x" * 32


def entry(name: str, scopes: tuple[str, ...] = SCOPES, namespaces: tuple[str, ...] = ("*",)) -> dict[str, Any]:
    digest = hashlib.sha256(token(name).encode()).hexdigest()
    return {"name": name, "sha256": digest, "scopes": list(scopes), "namespaces": list(namespaces)}


CALLERS = [
    entry("all"),
    *(entry(f"only-{scope}", (scope,)) for scope in SCOPES),
    entry("person", ("read", "trigger", "reset", "approve")),
    entry("shop", SCOPES, ("shop",)),
]


class World:
    """A cluster in memory, the API in front of it, and its clock, which follows the loop."""

    def __init__(
        self, folder: Path, *, kubernetes: bool = False, failures: int = 20, store: MemoryStore | None = None
    ) -> None:
        self.clock = FakeClock()
        self.api = MemoryApi(self.clock, store)
        self.store = self.api.store
        self.metrics = RestMetrics()
        self.reviewer = MemoryReviewer()
        self.tokens = folder / "tokens.json"
        self.write_tokens(CALLERS)
        file = TokenFile(self.tokens, self.clock)
        file.load()
        ways = [file, *([KubernetesTokens(self.reviewer, AUDIENCE, self.clock)] if kubernetes else [])]
        door = Door(ways, FailureLimiter(self.clock, failures))
        self.services = build_services(self.api, self.api, door, self.clock, self.metrics)
        self.application = build_application(self.services, self.metrics.render)
        self.store.subscribe(self.services.cache.feed)

    def write_tokens(self, entries: list[dict[str, Any]]) -> None:
        self.tokens.write_text(json.dumps({"tokens": entries}))

    async def sync(self) -> None:
        await self.services.cache.resync()

    @contextlib.asynccontextmanager
    async def caller(self, name: str | None = "all") -> AsyncIterator[httpx.AsyncClient]:
        """A client with the token of a caller; None sends no token."""
        await self.sync()
        headers = {"Authorization": f"Bearer {token(name)}"} if name is not None else {}
        transport = httpx.ASGITransport(self.application, client=("192.0.2.7", 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
            yield client

    def add(self, kind: Kind, name: str, namespace: str, **parts: Any) -> Key:
        meta = {"name": name, "namespace": namespace, **parts.pop("metadata", {})}
        self.store.add(kind, {"apiVersion": API_VERSION, "kind": kind.value, "metadata": meta, **parts})
        return Key(kind, namespace, name)

    def breaker(
        self,
        name: str = "openai",
        namespace: str = "shop",
        *,
        state: str = "Open",
        target: Mapping[str, Any] = PROBED,
        spec: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **status: Any,
    ) -> Key:
        full = {"state": state, "epoch": 4, "since": format_time(self.clock.now()), **status}
        return self.add(
            Kind.BREAKER,
            name,
            namespace,
            spec={"target": dict(target), **(spec or {})},
            status={key: value for key, value in full.items() if value is not None},
            metadata=dict(metadata or {}),
        )

    def policy(self, name: str = "custom-service", namespace: str = "shop", **spec: Any) -> Key:
        reported = {"name": "reported", "errorReported": {"errorTypes": ["CUSTOM_ERROR"]}}
        full = {"targetRef": {"kind": "Deployment", "name": "web"}, "triggers": [reported], "ladder": LADDER, **spec}
        return self.add(Kind.POLICY, name, namespace, spec=full)

    def run(self, name: str = "web-1-1", namespace: str = "shop", phase: str | None = "Running", **spec: Any) -> Key:
        status = {"status": {"phase": phase}} if phase is not None else {}
        return self.add(Kind.RUN, name, namespace, spec={"policyName": "custom-service", **spec}, **status)

    def stored(self, key: Key) -> dict[str, Any]:
        return self.store.find(key)

    def runs(self) -> list[dict[str, Any]]:
        return [item for key, item in self.store.documents.items() if key.kind is Kind.RUN]

    def writes(self) -> int:
        """Mutating requests so far."""
        return sum(request.mutating for request in self.api.requests)
