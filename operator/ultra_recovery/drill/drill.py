"""The drill itself: build, break, watch the recovery, clear away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ultra_recovery.core.errors import ApiError, UltraError
from ultra_recovery.core.objects import Kind
from ultra_recovery.drill.manifests import REPLICAS, Plan, deployment, policy
from ultra_recovery.drill.sight import Document, Sight, is_ready, status
from ultra_recovery.ports import Bench, Clock

BUILD_WITHIN = 120.0
"""Seconds for the pods of the drill to start: a node may have to pull the image."""
ENFORCE_WITHIN = 30.0
CLEAR_WITHIN = 15.0
"""Less than the grace period of the drill's pod."""
_POLL = 0.25
_POLICY_LABEL = "recovery.ultra.dev/policy"


class DrillError(UltraError):
    """The drill failed; the message says at what."""


class Drill:
    """One drill.

    Args:
        bench: the namespace in which it takes place.
        shove: breaks the pod with this address.
        clock: the time.
        say: takes the timeline, line by line.
        plan: what is built.
    """

    def __init__(
        self,
        bench: Bench,
        shove: Callable[[str], Awaitable[None]],
        clock: Clock,
        say: Callable[[str], None],
        plan: Plan,
    ) -> None:
        self._bench, self._shove, self._clock, self._plan = bench, shove, clock, plan
        self._say = say
        self._said: set[str] = set()
        self._zero = clock.boottime()

    async def run(self) -> None:
        """Carry it out, and clear away in every case: also after a failure, and when cancelled.

        Raises:
            DrillError: the operator did not recover the pod as it should, or something was left behind.
            ApiError: the API server refused something.
        """
        try:
            await self._carry_out()
        finally:
            left = await self._clear_away()
        if left:
            raise DrillError(f"could not be removed: {', '.join(left)}")

    async def _carry_out(self) -> None:
        name = self._plan.name
        await self._bench.create(Kind.DEPLOYMENT, deployment(self._plan))
        sight = await self._until(lambda seen: len(seen.ready) == REPLICAS, BUILD_WITHIN, f"Deployment {name} is ready")
        await self._bench.create(Kind.POLICY, policy(self._plan))
        await self._until(
            lambda seen: is_ready(seen.policy),
            ENFORCE_WITHIN,
            "the operator enforces the policy: does it run, and does it watch this namespace?",
        )
        victim, *others = sight.pods
        self._zero = self._clock.boottime()
        self._said.clear()
        await self._shove(str(status(victim).get("podIP")))
        self._line(f"fault: pod {victim['metadata']['name']} is not ready any more")
        sight = await self._until(lambda seen: self._recovered(seen, victim), self._plan.within, "the pod is recovered")
        if not sight.ready.issuperset(pod["metadata"]["uid"] for pod in others):
            raise DrillError("a pod that was healthy was replaced, too")
        seconds = self._clock.boottime() - self._zero
        self._line(
            f"recovered within {seconds:.1f} s (asked for: {self._plan.within:.0f} s); the healthy pod was left alone"
        )

    def _recovered(self, sight: Sight, victim: Document) -> bool:
        if sight.failed:
            record = status(sight.run)
            raise DrillError(f"the run ended {sight.phase}/{record.get('reason')}: {record.get('message')}")
        gone = victim["metadata"]["uid"] not in sight.ready
        return sight.succeeded and gone and len(sight.ready) == REPLICAS

    async def _until(self, true: Callable[[Sight], bool], within: float, what: str) -> Sight:
        """Look until something is true, and tell all that changes meanwhile."""
        deadline = self._clock.boottime() + within
        while True:
            sight = await self._look()
            for line in sight.lines():
                self._line(line)
            if true(sight):
                return sight
            if self._clock.boottime() >= deadline:
                last = "; ".join(sight.lines())
                raise DrillError(f"not within {within:.0f} s: {what}. At last: {last}")
            await self._clock.sleep(_POLL)

    async def _look(self) -> Sight:
        pods = await self._bench.list(Kind.POD, {"app": self._plan.name})
        runs = await self._runs()
        return Sight(
            pods=[pod for pod in pods if not pod["metadata"].get("deletionTimestamp")],
            policy=await self._bench.read(Kind.POLICY, self._plan.name),
            run=runs[-1] if runs else None,
        )

    async def _runs(self) -> list[Document]:
        runs = await self._bench.list(Kind.RUN, {_POLICY_LABEL: self._plan.name})
        return sorted(runs, key=lambda run: int(run["spec"].get("sequence") or 0))

    def _line(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(f"{self._clock.boottime() - self._zero:8.2f} s  {text}")

    async def _clear_away(self) -> list[str]:
        """Remove everything; what could not be removed."""
        left = []
        for kind, name in ((Kind.POLICY, self._plan.name), (Kind.DEPLOYMENT, self._plan.name)):
            try:
                await self._bench.delete(kind, name)
            except ApiError as error:
                left.append(f"{kind} {name} ({error})")
        try:
            await self._remove_runs()
        except ApiError as error:
            left.append(f"runs of {self._plan.name} ({error})")
        self._line("cleared away" if not left else "not everything could be cleared away")
        return left

    async def _remove_runs(self) -> None:
        """Runs end by themselves when their policy is gone; one that is deleted before leaves its Lease behind."""
        deadline = self._clock.boottime() + CLEAR_WITHIN
        while True:
            runs = await self._runs()
            active = [run for run in runs if not status(run).get("finishedAt")]
            if not active or self._clock.boottime() >= deadline:
                break
            await self._clock.sleep(_POLL)
        for run in runs:
            await self._bench.delete(Kind.RUN, run["metadata"]["name"])
