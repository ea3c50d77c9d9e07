"""The whole engine on in-memory twins, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.kstatus import judge
from ultra_recovery.adapters.memory import (
    FakeClock,
    FixedRandom,
    MemoryApi,
    MemoryReviewer,
    MemorySink,
    MemoryStore,
    ScriptedProber,
)
from ultra_recovery.adapters.memory.caller import ScriptedCaller
from ultra_recovery.adapters.memory.databases import MemoryDatabases
from ultra_recovery.adapters.memory.jobs import JobController
from ultra_recovery.adapters.memory.messenger import MemoryMessenger
from ultra_recovery.adapters.memory.reporters import apply_reporter
from ultra_recovery.adapters.memory.workloads import Workloads
from ultra_recovery.apis.meta import API_VERSION, RESET_ANNOTATION
from ultra_recovery.core.objects import Breaker, Key, Kind, Policy, Run
from ultra_recovery.core.parsing import parse
from ultra_recovery.core.rights import Account, Right
from ultra_recovery.engine.assembly import World as Outside
from ultra_recovery.engine.assembly import build_engine
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.rails import ClusterLimits
from ultra_recovery.engine.table import Table

NS = "shop"
POLICY = Key(Kind.POLICY, NS, "web")
EVICT = Right("create", "pods/eviction", "")
CREATE_JOBS = Right("create", "jobs", "batch")
WEB = Key(Kind.DEPLOYMENT, NS, "web")
BREAKER = Key(Kind.BREAKER, NS, "db")


MISREAD: list[str] = []
"""What kstatus would get wrong in statuses that were written since the start of the test."""


def _judge(kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
    if kind not in (Kind.BREAKER, Kind.POLICY) or deleted:
        return
    try:
        judge(document)
    except AssertionError as error:
        MISREAD.append(f"{kind}: {error}: {document.get('status')}")


class World:
    """A cluster with an operator in it; several operators may live on one store, as several processes would."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.store = MemoryStore(self.clock)
        self.workloads = Workloads(self.store)
        self.prober = ScriptedProber(self.clock)
        self.sink = MemorySink()
        self.caller = ScriptedCaller(self.clock)
        self.jobs = JobController(self.store)
        self.messenger = MemoryMessenger()
        self.databases = MemoryDatabases()
        self.limits = ClusterLimits()
        self.store.subscribe(_judge)
        self.reviewer: MemoryReviewer | None = None

    @asynccontextmanager
    async def operator(self, identity: str = "one") -> AsyncIterator[MemoryApi]:
        """One operator process, from its start to its sudden death."""
        api = MemoryApi(self.clock, self.store)
        table = Table()
        leadership = Leadership(api, self.clock, "ultra-recovery", identity)
        outside = Outside(
            objects=api,
            cluster=api,
            leases=api,
            jobs=api,
            caller=self.caller,
            messenger=self.messenger,
            databases=self.databases,
            image="localhost/ultra-recovery:dev",
            prober=self.prober,
            sinks=[self.sink],
            clock=self.clock,
            random=FixedRandom(),
            reviewer=self.reviewer,
        )
        engine = self.engine = build_engine(table, outside, leadership, self.limits)
        self.store.subscribe(engine.feed)
        task = asyncio.ensure_future(engine.run())
        try:
            yield api
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def policy(self, *, name: str = "web", **spec: Any) -> None:
        """Apply a policy for Deployment web with short times."""
        full = {
            "targetRef": {"kind": "Deployment", "name": "web"},
            "triggers": [{"name": "pods", "podUnhealthy": {}, "for": "2s"}],
            "ladder": [{"name": "restart", "action": {"restartPods": {}}, "timeout": "60s"}],
            "limits": {"interval": "10s", "cooldown": "10s", "minHealthyPeriod": "60s"},
            **spec,
        }
        self.put(Kind.POLICY, name, full)

    def breaker(self, **spec: Any) -> None:
        """Apply a breaker on Service db."""
        full = {
            "target": {"http": {"serviceRef": {"name": "db", "port": 80}}},
            "probe": {"interval": "2s", "timeout": "1s", "trialInterval": "1s"},
            "recoveryTimeout": "10s",
            **spec,
        }
        self.put(Kind.BREAKER, "db", full)

    def put(self, kind: Kind, name: str, spec: dict[str, Any]) -> None:
        """Create an object, or change its spec."""
        key = Key(kind, NS, name)
        if key in self.store.documents:
            self.store.change(key, lambda item: item.__setitem__("spec", spec))
        else:
            meta = {"name": name, "namespace": NS}
            self.store.add(kind, {"apiVersion": API_VERSION, "kind": kind.value, "metadata": meta, "spec": spec})

    def external(self, **spec: Any) -> None:
        """Apply a breaker that is fed by reports."""
        self.breaker(target={"external": {}}, **spec)

    def report(self, name: str, *, failures: int = 0, successes: int = 0, epoch: int | None = None) -> None:
        """Write the entry of one reporter; neither failures nor successes: a neutral outcome."""
        entry = {
            "name": name,
            "epoch": self.read_breaker().status.epoch if epoch is None else epoch,
            "consecutiveFailures": failures,
            "consecutiveSuccesses": successes,
            "lastOutcome": "Failure" if failures else "Success" if successes else "Neutral",
            "message": f"answered {500 + failures}",
            "reportedAt": self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        apply_reporter(self.store, BREAKER, entry)

    def reset(self, key: Key, value: str) -> None:
        """Annotate an object with a reset."""
        self.annotate(key, RESET_ANNOTATION, value)

    def annotate(self, key: Key, name: str, value: str) -> None:
        """Annotate an object."""
        self.store.change(key, lambda item: item["metadata"].setdefault("annotations", {}).__setitem__(name, value))

    def label(self, key: Key, name: str, value: str) -> None:
        """Label an object."""
        self.store.change(key, lambda item: item["metadata"].setdefault("labels", {}).__setitem__(name, value))

    def namespace(self) -> Key:
        """Add the Namespace object itself."""
        self.store.add(Kind.NAMESPACE, {"metadata": {"name": NS, "namespace": ""}})
        return Key(Kind.NAMESPACE, "", NS)

    def check_creators(self, *rights: Right, account: str = "healer") -> MemoryReviewer:
        """Switch the check of creators on; an account of the namespace has these rights."""
        self.reviewer = MemoryReviewer()
        self.reviewer.rights = {(Account(NS, account).username, right, NS) for right in rights}
        return self.reviewer

    def leases(self) -> list[str]:
        """Names of all Leases but the leader's."""
        return [name for namespace, name in self.store.leases if namespace == NS]

    def run(self, key: Key) -> Run:
        item = parse(Kind.RUN, self.store.find(key))
        assert isinstance(item, Run)
        return item

    def read_policy(self, key: Key = POLICY) -> Policy:
        item = parse(Kind.POLICY, self.store.find(key))
        assert isinstance(item, Policy)
        return item

    def read_breaker(self) -> Breaker:
        item = parse(Kind.BREAKER, self.store.find(BREAKER))
        assert isinstance(item, Breaker)
        return item

    def runs(self) -> list[Run]:
        """All runs by name."""
        items = [parse(Kind.RUN, item) for key, item in sorted(self.store.documents.items()) if key.kind is Kind.RUN]
        return [item for item in items if isinstance(item, Run)]

    def uids(self) -> dict[str, str]:
        """UIDs of web's pods by name."""
        keys = self.workloads.pods(Key(Kind.DEPLOYMENT, NS, "web"))
        return {key.name: self.store.find(key)["metadata"]["uid"] for key in keys}

    async def until(self, look: Callable[[], bool], seconds: float = 120.0) -> float:
        """Let virtual time pass until something is so; the seconds that took."""
        began = self.clock.boottime()
        while not look():
            assert self.clock.boottime() - began < seconds, "it did not happen in time"
            await self.clock.sleep(0.05)
        return self.clock.boottime() - began
