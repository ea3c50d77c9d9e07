"""Objects from our own schema against a real API server and a live operator.

The API server refuses an object and names the field, or the operator takes it: it says what is wrong with it, does
nothing on its behalf, and goes on as soon as it is mended. `--hypothesis-profile=deep` takes many times as many.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.manifests.from_schema import largest, right, spoil
from tests.integration.manifests.rows import API_VERSION
from tests.matrix.faults import Fault
from tests.matrix.ledger import Ledger
from tests.matrix.operator_process import Nursery, OperatorProcess
from tests.matrix.proxy import Proxy
from tests.matrix.stage import OURS, Stage, StageError
from tests.matrix.upstream import AnswerError, Upstream
from ultra_recovery.apis.kinds import KINDS, Kind
from ultra_recovery.apis.schema import root_schema

WITHIN = 10.0
"""Seconds within which the operator says what it thinks of an object."""
SAMPLE = 60 if settings().max_examples <= 100 else 1500
"""Objects of each kind."""
BATCH = 30
BY_KIND = {kind.kind: kind for kind in KINDS}
SCHEMAS = {kind.kind: root_schema(kind)["properties"]["spec"] for kind in KINDS}
GOOD: dict[str, dict[str, Any]] = {
    "CircuitBreaker": {"target": {"workload": {"kind": "Deployment", "name": "web"}}, "probe": {"interval": "1s"}},
    "RecoveryPolicy": {
        "targetRef": {"kind": "Deployment", "name": "web"},
        "triggers": [{"name": "pods", "podUnhealthy": {}}],
        "ladder": [{"name": "restart", "action": {"restartPods": {}}}],
    },
}
_NAMES_SOMETHING = re.compile(
    r"spec\.|Deployment|StatefulSet|CircuitBreaker|Service|CronJob|breaker|port|address|target|host|allow",
    re.IGNORECASE,
)


@dataclass
class Scene:
    """A namespace with a live operator in it: `web` is well, of `ill` every pod hangs."""

    stage: Stage
    upstream: Upstream
    ledger: Ledger
    log: Path

    def path(self, kind: str, name: str = "") -> str:
        return f"{OURS}/namespaces/{self.stage.namespace}/{BY_KIND[kind].plural}" + (f"/{name}" if name else "")

    async def submit(self, kind: str, name: str, spec: Any) -> str:
        """Create an object; what the API server says when it refuses it, "" when it does not."""
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        try:
            await self.upstream.call("POST", f"{self.path(kind)}?fieldValidation=Strict", body)
        except AnswerError as error:
            if not 400 <= error.code < 500:
                raise AssertionError(f"{error}\n{json.dumps(spec)}") from error
            return str(error)
        return ""

    async def read(self, kind: str, name: str) -> dict[str, Any]:
        return await self.upstream.call("GET", self.path(kind, name))

    async def told(
        self, kind: str, name: str, what: Callable[[Mapping[str, Any]], bool] | None = None
    ) -> dict[str, Any]:
        """The object, once the operator has said what it thinks of it as it is now."""
        item: dict[str, Any] = {}

        async def said() -> bool:
            item.update(await self.read(kind, name))
            return (what or judged)(item)

        try:
            await self.stage.until(said, f"{kind} {name} is judged", WITHIN)
        except StageError as error:
            raise AssertionError(f"{error}: {json.dumps(item)}") from error
        return item

    async def mend(self, kind: str, name: str) -> None:
        """Give the object a good spec; the operator takes it as if it had never been another."""
        item = await self.read(kind, name)
        await self.upstream.call("PUT", self.path(kind, name), {**item, "spec": GOOD[kind]})
        await self.told(kind, name, enforced)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with (
        Upstream.from_kubeconfig(os.environ["KUBECONFIG"]) as upstream,
        Nursery() as nursery,
        Proxy(upstream, Fault()) as proxy,
        Stage(upstream) as stage,
    ):
        await stage.start_workload("web", 2)
        await stage.start_workload("ill", 2)
        operator = OperatorProcess(nursery, proxy, stage.namespace, folder, {})
        await operator.start()
        try:
            await stage.hang("ill", 2)
            yield Scene(stage, upstream, proxy.ledger, operator.log)
        finally:
            await operator.stop()
        log = operator.log.read_text(errors="replace")
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
        assert "unexpected error" not in log
        assert operator.unexpected == []


def conditions(item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["type"]: one for one in (item.get("status") or {}).get("conditions") or ()}


def ready(item: Mapping[str, Any]) -> str:
    return str(conditions(item).get("Ready", {}).get("status", ""))


def judged(item: Mapping[str, Any]) -> bool:
    status = item.get("status") or {}
    if item["kind"] == "RecoveryRun":
        return bool(status.get("phase") and (status.get("reason") or status["phase"] == "Pending"))
    current = status.get("observedGeneration") == item["metadata"]["generation"]
    return current and "Ready" in conditions(item) and ready(item) != "Unknown"


def enforced(item: Mapping[str, Any]) -> bool:
    return judged(item) and ready(item) == "True"


def over(item: Mapping[str, Any]) -> bool:
    return bool((item.get("status") or {}).get("finishedAt"))


def crafted(kind: Kind, wrong: bool) -> list[Any]:
    """Specs of a kind, the same in every test run."""
    schema, found = SCHEMAS[kind.kind], []

    @settings(
        max_examples=SAMPLE // 2,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: Any) -> None:
        spec = right(data.draw, schema)
        found.append(spoil(data.draw, spec, schema) if wrong else spec)

    collect()
    return found


def stalled(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [item for item in items if conditions(item).get("Stalled", {}).get("status") == "True"]


def unsaid(item: Mapping[str, Any]) -> list[str]:
    """What an object that was judged does not say: a reason, and of what is not enforced the field or the object."""
    known = conditions(item)
    bad = [one for one in known.values() if not re.fullmatch(r"[A-Z][A-Za-z]{1,63}", one["reason"])]
    if ready(item) == "False" and not _NAMES_SOMETHING.search(known["Ready"]["message"]):
        bad.append(known["Ready"])
    return [f"{item['kind']} {json.dumps(item['spec'])} says only {one}" for one in bad]


async def all_of(work: Iterable[Awaitable[Any]], problems: list[str]) -> list[Any]:
    """The results of what went well; what did not becomes a problem."""
    found = await asyncio.gather(*work, return_exceptions=True)
    problems += [str(one) for one in found if isinstance(one, BaseException)]
    return [one for one in found if not isinstance(one, BaseException)]


async def try_batch(scene: Scene, kind: str, specs: Mapping[str, Any], problems: list[str]) -> int:
    """Submit a batch, look at what becomes of it, mend it and remove it; how many were accepted."""
    answers = await asyncio.gather(*(scene.submit(kind, name, spec) for name, spec in specs.items()))
    refused = dict(zip(specs, answers, strict=True))
    problems += [f"no field in: {text}" for text in answers if text and "spec" not in text]
    accepted = [name for name, answer in refused.items() if not answer]
    items = await all_of((scene.told(kind, name) for name in accepted), problems)
    if kind != "RecoveryRun":
        for item in items:
            problems += unsaid(item)
        problems += await deeds(scene, kind, stalled(items))
        await all_of((scene.mend(kind, item["metadata"]["name"]) for item in stalled(items)), problems)
    await scene.upstream.call("DELETE", scene.path(kind))
    return len(accepted)


async def deeds(scene: Scene, kind: str, items: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is done on behalf of objects that are Stalled."""
    names = {item["metadata"]["name"] for item in items} if kind == "RecoveryPolicy" else set()
    runs = await scene.stage.list("recoveryruns") if names else []
    return [f"a run of a policy that is Stalled: {run}" for run in runs if run["spec"]["policyName"] in names]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
async def test_what_the_api_server_takes_is_judged_and_never_acted_on_while_it_is_wrong(kind: Kind, tmp_path: Path):
    specs = [*crafted(kind, wrong=False), *crafted(kind, wrong=True)]
    accepted, problems = 0, list[str]()
    async with scene(tmp_path) as stage:
        for begin in range(0, len(specs), BATCH):
            batch = {f"f{begin + place}": spec for place, spec in enumerate(specs[begin : begin + BATCH])}
            accepted += await try_batch(stage, kind.kind, batch, problems)
        acts = [entry for entry in stage.ledger.entries if entry.sub == "eviction" or entry.plural == "jobs"]
        assert kind.kind == "RecoveryPolicy" or not acts
    assert not problems, "\n".join(problems)
    assert len(specs) // 10 < accepted < len(specs), "the sample has both kinds of objects in it"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
async def test_the_largest_object_is_accepted_and_the_operator_writes_its_status(kind: Kind, tmp_path: Path):
    spec = biggest(kind.kind)
    assert len(json.dumps(spec)) < 128 * 1024
    async with scene(tmp_path) as stage:
        assert await stage.submit(kind.kind, "largest", spec) == ""
        await stage.told(kind.kind, "largest")


async def test_a_run_with_the_largest_plan_is_written_to_its_end(tmp_path: Path):
    spec = biggest("RecoveryPolicy")
    spec |= {"targetRef": GOOD["RecoveryPolicy"]["targetRef"], "mode": "Auto", "maintenanceWindows": []}
    breaker = {"target": {"workload": {"kind": "Deployment", "name": "ill"}}}
    async with scene(tmp_path) as stage:
        names = [item["breaker"] for item in spec["dependencies"]]
        assert not any(await asyncio.gather(*(stage.submit("CircuitBreaker", name, breaker) for name in names)))
        assert await stage.submit("RecoveryPolicy", "largest", spec) == ""
        await stage.told("RecoveryPolicy", "largest", enforced)
        assert await stage.submit("RecoveryRun", "by-hand", {"policyName": "largest", "dryRun": True}) == ""
        run = await stage.told("RecoveryRun", "by-hand", over)
        assert (run["status"]["phase"], run["status"]["reason"]) == ("Succeeded", "DryRun")
        assert len(run["status"]["plan"]["ladder"]) == 16


def biggest(kind: str) -> dict[str, Any]:
    """The largest spec that also keeps the rules which go over several fields."""
    spec: dict[str, Any] = largest(SCHEMAS[kind])
    if kind == "RecoveryRun":
        return {name: value for name, value in spec.items() if name not in ("incident", "sequence", "attempt")}
    if kind != "RecoveryPolicy":
        return spec
    step = SCHEMAS[kind]["properties"]["ladder"]["items"]["properties"]
    hook = largest(step["action"]["properties"]["callHook"])
    names = [item["breaker"] for item in spec["dependencies"]]
    for rung in spec["ladder"]:
        rung["action"] = {"callHook": {**hook, "breaker": names[0]}}
        for allowed, name in zip(rung["allowWhileOpen"], names, strict=False):
            allowed["breaker"] = name
    return spec | {"limits": {**spec["limits"], "timeout": "1h"}, "verify": {"healthyFor": "5s", "within": "20s"}}
