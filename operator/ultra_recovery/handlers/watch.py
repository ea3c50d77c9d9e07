"""Watches every kind through kopf and feeds the engine's table."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import kopf
from kopf._core.engines import peering  # Identity has no public name

from ultra_recovery.apis.meta import GROUP, VERSION
from ultra_recovery.core.objects import Kind
from ultra_recovery.handlers.handover import Feed, Handover

log = logging.getLogger(__name__)

RESTART_DELAYS = (1.0, 2.0, 5.0, 10.0)

RESOURCES: dict[Kind, tuple[str, str, str]] = {
    Kind.BREAKER: (GROUP, VERSION, "circuitbreakers"),
    Kind.POLICY: (GROUP, VERSION, "recoverypolicies"),
    Kind.RUN: (GROUP, VERSION, "recoveryruns"),
    Kind.DEPLOYMENT: ("apps", "v1", "deployments"),
    Kind.STATEFUL_SET: ("apps", "v1", "statefulsets"),
    Kind.POD: ("", "v1", "pods"),
    Kind.SERVICE: ("", "v1", "services"),
    Kind.ENDPOINT_SLICE: ("discovery.k8s.io", "v1", "endpointslices"),
    Kind.NAMESPACE: ("", "v1", "namespaces"),
}


class NoDifferences(kopf.DiffBaseStorage):
    """Compares nothing with what was seen before: our handlers take every event, and kopf would copy each twice."""

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:  # noqa: ARG002 - kopf's
        """Of an object nothing is essential."""
        return {}

    def fetch(self, *, body: kopf.Body) -> None:
        """Nothing was seen before."""

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is kept, and nothing is written onto objects."""


def build_settings() -> kopf.OperatorSettings:
    """Kopf's settings: its defaults are made for other operators; every value here has its reason.

    Request timeout 300 s → 15 s and back-off up to 21 s → 5 s: a watch that hangs is noticed. Error delays up to
    610 s → 5 s. No Events, no peering, no scanning of namespaces and CRDs: rights we neither need nor ask for.
    """
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = None
    settings.watching.server_timeout = 600
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = (0.5, 1, 2, 3, 5)
    settings.queueing.error_delays = (1, 2, 3, 5)
    settings.queueing.idle_timeout = 0.1
    settings.execution.default_backoff = 5
    settings.persistence.diffbase_storage = NoDifferences()
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    return settings


def build_registry(
    feed: Feed, *, clusterwide: bool = True, kinds: Collection[Kind] = tuple(RESOURCES)
) -> kopf.OperatorRegistry:
    """One event handler per kind; each passes the object on and nothing else.

    Namespaces are watched only for the whole cluster: no right that is bound to a namespace allows to watch it.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - kopf passes what it likes
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    for kind, (group, version, plural) in RESOURCES.items():
        if kind not in kinds or (not clusterwide and not kind.namespaced):
            continue
        kopf.on.event(group, version, plural, registry=registry, id=f"watch-{plural}")(_handler(kind, feed))
    return registry


def _handler(kind: Kind, feed: Feed) -> Callable[..., Awaitable[None]]:
    # A coroutine: kopf would run a plain function in a thread of its own for each event.
    async def seen(event: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401 - kopf passes what it likes
        feed(kind, event["object"], event.get("type") == "DELETED")

    return seen


class Watch:
    """Runs kopf in a thread, and again whenever it ends: any watch error that is not a 410 ends it."""

    def __init__(self, feed: Feed, namespaces: Sequence[str], kinds: Collection[Kind] = tuple(RESOURCES)) -> None:
        self._feed = feed
        self._namespaces = namespaces
        self._kinds = kinds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.alive = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch; the feed is called in `loop`."""
        # kopf tells of every event, with all its settings; its warnings are what somebody may need.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        self._thread = threading.Thread(
            target=self._run, args=(Handover(loop, self._feed).put,), name="watch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has ended, within a second or two."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=3)

    def _run(self, feed: Feed) -> None:
        failures = 0
        while not self._stop.is_set():
            self.alive = True
            try:
                asyncio.run(self._watch(feed))
            except Exception:
                # Whatever ended kopf: the list every 30 s goes on, and watching begins again.
                log.exception("the watch ended")
            self.alive = False
            if not self._stop.is_set():
                self._stop.wait(RESTART_DELAYS[min(failures, len(RESTART_DELAYS) - 1)])
                failures += 1

    async def _watch(self, feed: Feed) -> None:
        scope: dict[str, Any] = {"namespaces": list(self._namespaces)} if self._namespaces else {"clusterwide": True}
        await kopf.operator(
            registry=build_registry(feed, clusterwide=not self._namespaces, kinds=self._kinds),
            settings=build_settings(),
            # Given here: kopf would ask for the name of the process's user, and a container's user has none.
            identity=peering.Identity("ultra-recovery"),
            standalone=True,
            stop_flag=self._stop,
            **scope,
        )
