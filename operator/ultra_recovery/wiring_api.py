"""The composition root of the recovery API: settings → adapters → routes."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import uvicorn

from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.intents import KubernetesIntents
from ultra_recovery.adapters.kubernetes.objects import KubernetesObjects
from ultra_recovery.adapters.kubernetes.reviews import KubernetesReviewer
from ultra_recovery.adapters.logs import configure_logging
from ultra_recovery.adapters.rest_metrics import RestMetrics
from ultra_recovery.handlers.watch import Watch
from ultra_recovery.ports import Clock, Reviewer
from ultra_recovery.rest.app import build_application
from ultra_recovery.rest.assembly import build_services
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.auth.identity import Authenticator
from ultra_recovery.rest.auth.kubernetes import KubernetesTokens
from ultra_recovery.rest.auth.limiter import FailureLimiter
from ultra_recovery.rest.auth.token_file import TokenFile, TokenFileError
from ultra_recovery.rest.cache import KINDS
from ultra_recovery.rest.certificate import Certificate, CertificateError
from ultra_recovery.rest.context import Services, request_id
from ultra_recovery.rest.server import build_server
from ultra_recovery.settings import ApiSettings
from ultra_recovery.stopping import told_to_stop

log = logging.getLogger(__name__)


async def run_api(settings: ApiSettings) -> int:
    """Serve the recovery API until told to stop; the exit code."""
    configure_logging(settings.log_level)
    logging.getLogger().handlers[0].addFilter(_name_request)
    async with contextlib.AsyncExitStack() as stack:
        connection = await stack.enter_async_context(await Connection.open(settings.kubeconfig))
        clock = SystemClock()
        try:
            door = _door(settings, KubernetesReviewer(connection), clock)
            certificate = Certificate(settings.tls, clock) if settings.tls is not None else None
        except TokenFileError as error:
            log.error("the API does not start: nobody could use it: %s", error)  # noqa: TRY400 - the sentence says it all
            return 2
        except CertificateError as error:
            log.error("the API does not start: %s", error)  # noqa: TRY400 - likewise
            return 2
        objects, intents = KubernetesObjects(connection, settings.watch_namespaces), KubernetesIntents(connection)
        metrics = RestMetrics()
        services = build_services(objects, intents, door, clock, metrics)
        cache = services.cache
        metrics.watch(lambda: services.hub.streams, lambda: cache.stale, lambda: cache.age)
        watch = Watch(cache.feed, settings.watch_namespaces, KINDS)
        watch.start(asyncio.get_running_loop())
        stack.callback(watch.stop)
        tls = certificate.context if certificate is not None else None
        server = build_server(build_application(services, metrics.render), settings.port, tls=tls)
        return await _until_stopped(server, services, certificate)


def _door(settings: ApiSettings, reviewer: Reviewer, clock: Clock) -> Door:
    """The ways to recognise somebody.

    Raises:
        TokenFileError: there is no other way than a file, and nobody is in it.
    """
    ways: list[Authenticator] = []
    if settings.tokens is not None:
        tokens = TokenFile(settings.tokens, clock)
        try:
            found = tokens.load()
        except TokenFileError as error:
            if not settings.audience:
                raise
            # The Secret may come later; until then the cluster's tokens are good.
            log.warning("no tokens are read: %s", error)
        else:
            if not found and not settings.audience:
                raise TokenFileError(f"{settings.tokens} holds no token")
        ways.append(tokens)
    if settings.audience:
        ways.append(KubernetesTokens(reviewer, settings.audience, clock))
    return Door(ways, FailureLimiter(clock))


async def _until_stopped(server: uvicorn.Server, services: Services, certificate: Certificate | None) -> int:
    """Serve until a signal, or until something ends that must not: then the process ends and is started anew."""
    stop = told_to_stop()
    with contextlib.ExitStack() as stack:
        # Signals are ours: uvicorn would take them for itself.
        stack.callback(services.hub.close)
        serving = asyncio.ensure_future(server._serve())
        work = [asyncio.ensure_future(part.run()) for part in (services.cache, services.reporters)]
        if certificate is not None:
            work.append(asyncio.ensure_future(certificate.run()))
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, waiting, *work}, return_when=asyncio.FIRST_COMPLETED)
        told = stop.is_set()
        services.hub.close()
        server.should_exit = True
        for task in (*work, waiting):
            task.cancel()
        results = await asyncio.gather(serving, *work, waiting, return_exceptions=True)
        with contextlib.suppress(Exception):
            await services.reporters.flush()
    for result in results:
        if isinstance(result, Exception):
            log.error("the API ends", exc_info=result)
    log.info("stopped", extra={"told": told})
    return 0 if told else 1


def _name_request(record: logging.LogRecord) -> bool:
    """Every log line that is written while a request is answered carries its id."""
    identity = request_id.get()
    if identity and not hasattr(record, "request_id"):
        record.request_id = identity
    return True
