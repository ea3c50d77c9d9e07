"""The composition root of the drill: settings → adapters → drill."""

from __future__ import annotations

import asyncio
import functools
import sys

from ultra_recovery.adapters.clock import SystemClock, SystemRandom
from ultra_recovery.adapters.http.shove import shove
from ultra_recovery.adapters.kubernetes.bench import KubernetesBench
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.logs import configure_logging
from ultra_recovery.core.errors import UltraError
from ultra_recovery.drill.drill import Drill
from ultra_recovery.drill.manifests import TARGET_PORT, Plan
from ultra_recovery.settings import DrillSettings
from ultra_recovery.stopping import on_stop


async def run_drill(settings: DrillSettings) -> int:
    """Carry out a drill; the exit code: 0 when the operator recovered what was broken."""
    configure_logging("WARNING")
    plan = _plan(settings)
    _say(f"drill {plan.name} in namespace {settings.namespace}")
    try:
        async with await Connection.open(settings.kubeconfig) as connection:
            bench = KubernetesBench(connection, settings.namespace)
            drill = Drill(bench, functools.partial(shove, port=TARGET_PORT), SystemClock(), _say, plan)
            await _unless_told_to_stop(drill)
    except asyncio.CancelledError:
        _say("FAILED: told to stop")
        return 1
    except UltraError as error:
        _say(f"FAILED: {error}")
        return 1
    _say("PASSED")
    return 0


def _plan(settings: DrillSettings) -> Plan:
    # A name of its own: what earlier drills spent of a workload's budget is not counted against this one.
    number = int(SystemRandom().random() * 16**5)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": settings.pod, "uid": settings.pod_uid}
    return Plan(
        name=f"{settings.name}-{number:05x}",
        image=settings.image,
        pull_policy=settings.pull_policy,
        pull_secrets=settings.pull_secrets,
        account=settings.account,
        within=settings.within,
        owner=owner if settings.pod and settings.pod_uid else None,
    )


async def _unless_told_to_stop(drill: Drill) -> None:
    """Run the drill; a signal cancels it once, and then it clears away."""
    task = asyncio.ensure_future(drill.run())
    on_stop(_cancel_once, task)
    await task


def _cancel_once(task: asyncio.Future[None]) -> None:
    on_stop(lambda: None)
    task.cancel()


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201 - a console programme: this is its output
