"""The composition root: settings → adapters → engine. The only module that knows adapters."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ultra_recovery import __version__
from ultra_recovery.adapters import heap
from ultra_recovery.adapters.clock import SystemClock, SystemRandom
from ultra_recovery.adapters.database.locator import DatabaseLocator
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.caller import HttpCaller
from ultra_recovery.adapters.http.messenger import WebhookMessenger
from ultra_recovery.adapters.http.resolve import Resolver
from ultra_recovery.adapters.http.transport import Transport
from ultra_recovery.adapters.kubernetes.cluster import KubernetesCluster
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.events import EventSink
from ultra_recovery.adapters.kubernetes.jobs import KubernetesJobs
from ultra_recovery.adapters.kubernetes.leases import KubernetesLeases
from ultra_recovery.adapters.kubernetes.objects import KubernetesObjects
from ultra_recovery.adapters.kubernetes.reviews import KubernetesReviewer
from ultra_recovery.adapters.kubernetes.secrets import KubernetesSecrets
from ultra_recovery.adapters.kubernetes.version import missing_crds
from ultra_recovery.adapters.logs import LogSink, configure_logging
from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.adapters.ops_server import OpsServer
from ultra_recovery.adapters.prober import build_prober
from ultra_recovery.core.naming import LEADER_LEASE
from ultra_recovery.engine.assembly import World, build_engine
from ultra_recovery.engine.clock_drift import ClockDrift
from ultra_recovery.engine.engine import Engine
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.rails import ClusterLimits
from ultra_recovery.engine.table import Table
from ultra_recovery.handlers.watch import Watch
from ultra_recovery.ports import Reviewer, Sink
from ultra_recovery.settings import Settings
from ultra_recovery.stopping import told_to_stop
from ultra_recovery.wiring_crds import await_crds

log = logging.getLogger(__name__)


async def run_operator(settings: Settings) -> int:
    """Run the operator until it is told to stop; the exit code."""
    configure_logging(settings.log_level)
    async with contextlib.AsyncExitStack() as stack:
        connection = await stack.enter_async_context(await Connection.open(settings.kubeconfig))
        code = await await_crds(lambda: missing_crds(connection), SystemClock(), "0.0.0.0", settings.ops_port)
        if code is not None:
            return code
        return await _serve(settings, connection, stack)


async def _serve(settings: Settings, connection: Connection, stack: contextlib.AsyncExitStack) -> int:
    clock, metrics = SystemClock(), MetricsSink()
    drift, stop = ClockDrift(clock), told_to_stop()
    leadership = Leadership(KubernetesLeases(connection, unfenced=True), clock, settings.namespace, settings.identity)
    connection.guard(leadership.check)
    table = Table()
    events = EventSink(connection, clock, metrics.count_dropped_event)
    policy = AddressPolicy(parse_rules(settings.probe_allow), [*connection.server_addresses(), *settings.pod_ips])
    user_agent = f"ultra-recovery/{__version__}"
    transport = Transport(user_agent)
    stack.push_async_callback(transport.close)
    secrets = KubernetesSecrets(connection, clock, settings.service_account, settings.namespace)
    prober = build_prober(table, policy, transport, secrets, clock)
    messenger = WebhookMessenger(
        # A caller of its own: webhooks that hang must not take the places of steps.
        HttpCaller(table, policy, clock, user_agent, fence=leadership.check),
        clock,
        SystemRandom(),
        metrics.count_dropped_notification,
        metrics.count_notification,
    )
    objects = KubernetesObjects(connection, settings.watch_namespaces)
    sinks: list[Sink] = [events, metrics, LogSink()]
    cluster = KubernetesCluster(connection)
    caller = HttpCaller(table, policy, clock, user_agent, fence=leadership.check)
    world = World(
        objects=objects,
        cluster=cluster,
        leases=KubernetesLeases(connection),
        jobs=KubernetesJobs(connection),
        caller=caller,
        messenger=messenger,
        databases=DatabaseLocator(table, policy, Resolver(table, policy), secrets),
        prober=prober,
        sinks=sinks,
        clock=clock,
        random=SystemRandom(),
        image=settings.image,
        reviewer=_reviewer(settings, connection),
    )
    limits = ClusterLimits(
        settings.paused, settings.budget_workload, settings.budget_namespace, settings.budget_cluster
    )
    engine = build_engine(table, world, leadership, limits)
    table.subscribe(lambda key, item: None if item is not None else metrics.forget(key.kind, key.namespace, key.name))
    watch = Watch(
        lambda kind, document, deleted: engine.feed(kind, document, deleted=deleted), settings.watch_namespaces
    )
    watch.start(asyncio.get_running_loop())
    stack.callback(watch.stop)
    server = OpsServer(
        "0.0.0.0",
        settings.ops_port,
        metrics.render,
        live_checks=[lambda: _not_past_lease(leadership), lambda: _clock_holds(drift)],
        ready_checks=[
            lambda: ("synced", engine.synced.is_set(), "first list done"),
            lambda: ("stopping", not stop.is_set(), "told to stop" if stop.is_set() else "not told to stop"),
            lambda: _is_level(engine),
        ],
        before_metrics=lambda: _bring_up_to_date(metrics, engine, leadership, drift),
    )
    await server.start()
    stack.push_async_callback(server.stop)
    tending = asyncio.ensure_future(heap.tend(engine.synced))
    stack.callback(tending.cancel)
    return await _until_stopped(engine, events, messenger, leadership, stop)


def _reviewer(settings: Settings, connection: Connection) -> Reviewer | None:
    """Who says what the ServiceAccounts of policies may do, if that is to be asked."""
    return KubernetesReviewer(connection, local=settings.scope == "namespace") if settings.check_creator else None


def _bring_up_to_date(metrics: MetricsSink, engine: Engine, leadership: Leadership, drift: ClockDrift) -> None:
    """What is true at the moment of the scrape; all else was counted as it happened."""
    metrics.set_stale(engine.stale)
    metrics.set_leader(LEADER_LEASE, leadership.term)
    metrics.set_clock_skew(drift.seconds)
    metrics.set_standing(engine.standing())


def _not_past_lease(leadership: Leadership) -> tuple[str, bool, str]:
    past = leadership.acts_past_lease
    return "leader", not past, "acts past its Lease" if past else "ok"


def _clock_holds(drift: ClockDrift) -> tuple[str, bool, str]:
    return "clock", not drift.too_large, f"the wall clock moved by {drift.seconds:.1f} s since the process began"


def _is_level(engine: Engine) -> tuple[str, bool, str]:
    """Only shown: an API server that is away takes nobody out of service."""
    return "table", True, "stale: no whole list for 90 s" if engine.stale else "level with the cluster"


async def _until_stopped(
    engine: Engine, events: EventSink, messenger: WebhookMessenger, leadership: Leadership, stop: asyncio.Event
) -> int:
    """Run until told to stop, or until something ends that must not: then the process ends and is started anew."""
    work = [asyncio.ensure_future(part.run()) for part in (engine, events, messenger)]
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({*work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    told = stop.is_set()
    for task in (*work, waiting):
        task.cancel()
    results = await asyncio.gather(*work, waiting, return_exceptions=True)
    await leadership.release()
    for result in results:
        if isinstance(result, Exception):
            log.error("the operator ends", exc_info=result)
    log.info("stopped", extra={"told": told})
    return 0 if told else 1
