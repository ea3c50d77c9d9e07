"""What routes work with: the services of the process, and whoever calls."""

from __future__ import annotations

import contextvars
import logging
from dataclasses import dataclass

from ultra_recovery.ports import Clock, Intents, Objects, RestMeter
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.auth.identity import Identity, Scope
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.dashboard_memo import DashboardMemo
from ultra_recovery.rest.events import Hub
from ultra_recovery.rest.idempotency import KeyGuard
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import Fragments
from ultra_recovery.rest.reporters import Reporters

audit_log = logging.getLogger("ultra_recovery.audit")
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that lives as long as the process."""

    cache: Cache
    objects: Objects
    intents: Intents
    door: Door
    clock: Clock
    meter: RestMeter
    hub: Hub
    reporters: Reporters
    keys: KeyGuard
    fragments: Fragments
    dashboards: DashboardMemo

    def freshness(self) -> dict[str, object]:
        """The members `stale` and `age_seconds` of an answer from the cache."""
        stale = self.cache.stale
        age = self.cache.age
        return {"stale": stale, "age_seconds": round(age, 1) if stale and age != float("inf") else None}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sends the request, and in which namespaces they have the scope that the route asks for.

    Attributes:
        scope: the first of the route's scopes that they have.
        fresh: rights must be asked for anew, because something is to be changed.
    """

    identity: Identity
    scope: Scope
    namespaces: frozenset[str]
    request_id: str
    fresh: bool

    @property
    def name(self) -> str:
        """Who that is."""
        return self.identity.name

    async def may(self, scope: Scope, namespace: str) -> bool:
        """Whether they have a scope in a namespace, whether or not anything is in it."""
        return bool(await self.identity.permitted(scope, (namespace,), fresh=self.fresh))

    async def need(self, scope: Scope, namespace: str) -> None:
        """Refuse whoever lacks a scope in a namespace.

        Raises:
            Problem: they lack it.
        """
        if not await self.may(scope, namespace):
            raise Problem(ProblemType.FORBIDDEN, f"this needs the scope {scope} in namespace {namespace}")

    def audit(
        self,
        action: str,
        target: str,
        *,
        reason: str | None = None,
        before: object = None,
        after: object = None,
        result: str = "done",
    ) -> None:
        """Write the one line of a mutation."""
        fields = {
            "who": self.name,
            "action": action,
            "target": target,
            "why": reason,
            "before": before,
            "after": after,
            "result": result,
            "request_id": self.request_id,
        }
        audit_log.info("audit", extra=fields)
