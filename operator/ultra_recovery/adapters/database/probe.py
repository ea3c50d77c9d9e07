"""The probe of a database: Secrets, addresses, one attempt on the server, and a look at the pooler beside it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ultra_recovery.adapters.database.access import Access, Seen, ServerFault
from ultra_recovery.adapters.database.logins import Login, RefusedLogins
from ultra_recovery.adapters.database.pooler_probe import ConsoleRefused, look_at_poolers
from ultra_recovery.adapters.database.probe_mysql import MysqlLooker
from ultra_recovery.adapters.database.probe_postgres import look_at_postgres
from ultra_recovery.adapters.http.resolve import Destination, Turns
from ultra_recovery.apis.database import DatabaseTarget, Pooler, PoolerFigures, PoolFigures, PostgresTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.database_errors import FaultClass, Row
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.errors import ApiError, SpecError, Unavailable
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.secret_consent import login_of
from ultra_recovery.database_ports import Secrets
from ultra_recovery.ports import Clock

AUTHORITY = "ca.crt"
"""Key of the probing role's Secret with the certificates that VerifyFull goes by."""
_CONSOLE_ROW = Row("", FaultClass.REFUSED, "PgBouncer refuses the user of its console")


class Locator(Protocol):
    """Finds servers and poolers, every address checked."""

    async def server(self, namespace: str, target: DatabaseTarget) -> Destination:
        """Where the server is."""

    async def poolers(self, namespace: str, pooler: Pooler) -> tuple[Place, ...]:
        """Every replica of the pooler."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """One probe: who asks, and what for."""

    namespace: str
    breaker: str
    target: DatabaseTarget
    within: float


@dataclass(frozen=True, slots=True)
class _Verdict:
    outcome: Outcome
    reason: Reason
    message: str
    permanent: bool = False
    figures: PoolFigures | None = None


class DatabaseProber:
    """Probes targets postgres and mysql. A probe is one attempt, whatever `reconnect` says."""

    def __init__(self, locator: Locator, secrets: Secrets, clock: Clock) -> None:
        self._locator = locator
        self._secrets = secrets
        self._clock = clock
        self._mysql = MysqlLooker(clock)
        self._turns = Turns()
        self._refused = RefusedLogins(clock)

    def close(self) -> None:
        """Let the threads end."""
        self._mysql.close()

    async def probe(self, namespace: str, target: DatabaseTarget, within: float, breaker: str) -> ProbeResult:
        """Probe once. Secrets are read first, in their own time; server and pooler then have `within` seconds.

        Raises:
            SpecError: something that the target names does not exist, or may not be used.
        """
        started, errand = self._clock.now(), _Errand(namespace, breaker, target, within)
        try:
            verdict = await self._judge(errand)
        except Unavailable as error:
            unresolved = isinstance(error.__cause__, OSError)
            verdict = _failed(str(error)) if unresolved else _unknown(str(error))
        except ApiError:
            verdict = _unknown("a Secret cannot be read now")
        return self._result(verdict, started)

    async def _judge(self, errand: _Errand) -> _Verdict:
        target, pooler = errand.target, errand.target.pooler if isinstance(errand.target, PostgresTarget) else None
        data = await self._secrets.read(errand.namespace, target.credentials_secret_ref.name, errand.breaker)
        login = login_of(target.credentials_secret_ref.name, data)
        authority = data.get(AUTHORITY)
        if target.tls.mode == "VerifyFull" and not authority:
            message = f"tls.mode VerifyFull needs key {AUTHORITY} in Secret {target.credentials_secret_ref.name}"
            raise SpecError(Reason.SECRET_INVALID, message)
        if pooler is None:
            return await self._ask(errand, login, authority)
        console = await self._console(errand, pooler)
        places = await self._locator.poolers(errand.namespace, pooler)
        verdict, pools = await asyncio.gather(
            self._ask(errand, login, authority), self._ask_poolers(errand, pooler, console, places)
        )
        return _Verdict(
            verdict.outcome,
            verdict.reason,
            verdict.message,
            verdict.permanent,
            _joined(verdict.figures, pools, self._clock.now()),
        )

    async def _console(self, errand: _Errand, pooler: Pooler) -> Login:
        name = pooler.admin_secret_ref.name
        return login_of(name, await self._secrets.read(errand.namespace, name, errand.breaker))

    async def _ask(self, errand: _Errand, login: Login, authority: str | None) -> _Verdict:
        """What the server says, or said a moment ago when it refused this very login."""
        target = errand.target
        destination = await self._find(errand)
        if not destination.addresses:
            return _failed(destination.empty or "the name has no address")
        where = (errand.namespace, errand.breaker, destination.host)
        refusal = self._refused.refusal(where, login)
        if refusal is not None:
            return _refused(refusal, target.credentials_secret_ref.name)
        host, port = self._turns.next(errand.namespace, destination)
        name = target.tls.server_name or destination.name
        access = Access(host, port, *login, target.database, target.app_user, target.tls, name, authority)
        try:
            seen = await self._look(target, access, errand.within)
        except ServerFault as fault:
            return self._explain(errand, where, login, fault.row)
        except TimeoutError:
            self._refused.accept(where)
            return _failed(f"no login and no answer within {errand.within:g} s")
        self._refused.accept(where)
        if seen.read_only and target.writable:
            message = "the server takes no writes: it is in recovery or read-only"
            return _Verdict(Outcome.FAILURE, Reason.WRONG_NODE, message, figures=seen.figures)
        return _Verdict(Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, "logged in and asked", figures=seen.figures)

    async def _find(self, errand: _Errand) -> Destination:
        """Where the server is; a name that is not resolved in time counts as one that cannot be."""
        try:
            async with asyncio.timeout(errand.within):
                return await self._locator.server(errand.namespace, errand.target)
        except TimeoutError as error:
            raise Unavailable("the name of the server cannot be resolved now") from error

    async def _look(self, target: DatabaseTarget, access: Access, within: float) -> Seen:
        if isinstance(target, PostgresTarget):
            return await look_at_postgres(access, within, self._clock)
        return await self._mysql.look(access, within)

    def _explain(self, errand: _Errand, where: tuple[str, ...], login: Login, row: Row) -> _Verdict:
        if row.kind is not FaultClass.REFUSED:
            return _Verdict(row.verdict.outcome, row.verdict.reason, row.sentence, row.verdict.permanent)
        name = errand.target.credentials_secret_ref.name
        self._refused.refuse(where, login, row)
        self._secrets.forget(errand.namespace, name)
        return _refused(row, name)

    async def _ask_poolers(
        self, errand: _Errand, pooler: Pooler, login: Login, places: tuple[Place, ...]
    ) -> PoolerFigures:
        """What PgBouncer says. Replicas that cannot be asked, or refuse the console's user, are unreachable."""
        where = (errand.namespace, errand.breaker, "pooler")
        if self._refused.refusal(where, login) is not None:
            return PoolerFigures(unreachable=len(places))
        try:
            figures = await look_at_poolers(places, login, pooler.database or errand.target.database, errand.within)
        except ConsoleRefused:
            self._refused.refuse(where, login, _CONSOLE_ROW)
            self._secrets.forget(errand.namespace, pooler.admin_secret_ref.name)
            return PoolerFigures(unreachable=len(places))
        self._refused.accept(where)
        return figures

    def _result(self, verdict: _Verdict, started: datetime) -> ProbeResult:
        return ProbeResult(
            verdict.outcome,
            verdict.reason,
            verdict.message,
            started,
            self._clock.now(),
            verdict.permanent,
            verdict.figures,
        )


def _joined(server: PoolFigures | None, pooler: PoolerFigures, now: datetime) -> PoolFigures:
    """The figures of the server with those of the pooler; of a server that said nothing they are blind."""
    known = server or PoolFigures(at=now, blind=True)
    return known.model_copy(update={"pooler": pooler, "waiting": pooler.waiting})


def _failed(message: str) -> _Verdict:
    return _Verdict(Outcome.FAILURE, Reason.PROBE_FAILED, message)


def _unknown(message: str) -> _Verdict:
    return _Verdict(Outcome.ERROR, Reason.PROBE_ERROR, message)


def _refused(row: Row, secret: str) -> _Verdict:
    message = f"{row.sentence}; it is asked again when Secret {secret} changes, or after a growing pause up to 10 min"
    return _Verdict(row.verdict.outcome, row.verdict.reason, message, row.verdict.permanent)
