"""The composition root of a database Job: the request and mounted credentials → adapters → one action."""

from __future__ import annotations

import logging
from pathlib import Path

from ultra_recovery import __version__
from ultra_recovery.adapters.clock import SystemClock, SystemRandom
from ultra_recovery.adapters.database.mounted import MountedAccess
from ultra_recovery.adapters.database.mysql_session import MysqlServers
from ultra_recovery.adapters.database.pgbouncer_console import PgBouncers
from ultra_recovery.adapters.database.postgres_session import PostgresServers
from ultra_recovery.adapters.http.pool_hooks import HttpPoolHooks
from ultra_recovery.adapters.logs import configure_logging
from ultra_recovery.core.database_request import DatabaseAnswer, DatabaseRequest, Engine
from ultra_recovery.core.errors import SpecError
from ultra_recovery.job_ports import Servers
from ultra_recovery.jobs.runner import run, seconds_of
from ultra_recovery.jobs.work import Work
from ultra_recovery.ports import Clock
from ultra_recovery.stopping import on_stop

log = logging.getLogger(__name__)


async def run_job(text: str, secrets: Path, result: Path) -> int:
    """Carry out the request; the exit code: 0 when that was possible, 1 when it was not.

    Args:
        text: the request, as JSON.
        secrets: folder with the credentials.
        result: file that gets the answer, as Kubernetes reads it from a container that has ended.
    """
    configure_logging()
    try:
        answer, code = await _carry_out(DatabaseRequest.parse(text), secrets)
    except SpecError as error:
        answer, code = DatabaseAnswer(changed=False, message=str(error)), 1
    log.info(answer.message, extra={"changed": answer.changed, "measures": answer.measures})
    _write(result, answer)
    return code


async def _carry_out(request: DatabaseRequest, secrets: Path) -> tuple[DatabaseAnswer, int]:
    clock, access = SystemClock(), MountedAccess(request, secrets)
    work = Work(
        request=request,
        servers=_servers(request, access, clock),
        poolers=PgBouncers(access),
        hooks=HttpPoolHooks(f"ultra-recovery/{__version__}"),
        clock=clock,
        random=SystemRandom(),
        until=clock.boottime() + seconds_of(request),
    )
    on_stop(work.stop.set)
    log.info("begins", extra={"action": request.id, "part": request.part, "breaker": request.breaker})
    return await run(work)


def _servers(request: DatabaseRequest, access: MountedAccess, clock: Clock) -> Servers:
    return MysqlServers(access, clock) if request.engine is Engine.MYSQL else PostgresServers(access)


def _write(result: Path, answer: DatabaseAnswer) -> None:
    try:
        result.write_text(answer.to_text(), encoding="utf-8")
    except OSError:
        log.exception("the answer could not be written: %s", answer.to_text())
