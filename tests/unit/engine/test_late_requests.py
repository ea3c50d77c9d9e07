"""A leader is frozen right after the fence let a request pass: it arrives when another leads, and changes no end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.engine.world import NS, World
from ultra_recovery.adapters.memory import CrashError, MemoryApi
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.errors import ApiError
from ultra_recovery.core.objects import Key, Kind

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

LEASE = ("ultra-recovery", "ultra-recovery-leader")
MOST = 16


class Frozen:
    """Keeps the `number`-th change that a process asks for, and all of the process with it."""

    def __init__(self, api: MemoryApi, number: int) -> None:
        self._ask = api._request
        self._left = number
        self.what = ""
        self._late: Callable[[], object] | None = None

    async def request(
        self,
        verb: str,
        kind: Kind | str,
        namespace: str,
        name: str,
        handle: Callable[[], Any],
        *,
        mutating: bool = True,
    ) -> Any:
        if self._late is not None:
            raise CrashError("frozen")
        # The leader's own Lease is no effect: what is held back there is only its death.
        self._left -= mutating and namespace == NS
        if self._left == 0 and mutating and namespace == NS:
            self.what, self._late = f"{verb} {kind}", handle
            raise CrashError("frozen")
        return await self._ask(verb, kind, namespace, name, handle, mutating=mutating)

    @property
    def holds(self) -> bool:
        return self._late is not None

    def thaw(self) -> str:
        """The request arrives; what the server says."""
        assert self._late is not None
        try:
            self._late()
        except ApiError as error:
            return type(error).__name__
        return "done"


@pytest.mark.parametrize("after", [0.0, 0.3, 2.0, 30.0])
@pytest.mark.parametrize("number", range(1, MOST + 1))
async def test_a_change_that_arrives_when_another_leads_evicts_nobody_else_and_the_run_ends_as_it_should(
    monkeypatch: pytest.MonkeyPatch, number: int, after: float
):
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker()
    world.policy()
    before = world.uids()
    victim = sorted(before)[0]
    async with world.operator("one") as api:
        await world.clock.sleep(5)
        frozen = Frozen(api, number)
        monkeypatch.setattr(api, "_request", frozen.request)
        world.workloads.set_ready(Key(Kind.POD, NS, victim), False)
        await world.clock.sleep(10)
        assert frozen.holds, f"the run needs fewer than {number} changes"
    async with world.operator("two"):
        await world.until(lambda: world.store.leases[LEASE].holder == "two")
        await world.clock.sleep(after)
        said = frozen.thaw()
        await world.until(lambda: bool(world.runs()) and all(run.completed for run in world.runs()))
        await world.clock.sleep(20)
    assert [run.status.phase for run in world.runs()] == [RunPhase.SUCCEEDED], (frozen.what, said)
    assert set(before.values()) - set(world.uids().values()) == {before[victim]}, (frozen.what, said)
    assert world.read_breaker().status.state == "Closed"
    # A target's Lease that is made for a run which is over runs out by itself, within a minute.
    assert world.leases() == [] or (frozen.what, said, after) == ("create Lease", "done", 30.0)
    if "status" in frozen.what and "Breaker" not in frozen.what and after >= 2.0:
        assert said == "Conflict"
