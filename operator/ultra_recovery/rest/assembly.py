"""Puts the services together from ports."""

from __future__ import annotations

from ultra_recovery.ports import Clock, Intents, Objects, RestMeter
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.context import Services
from ultra_recovery.rest.dashboard_memo import DashboardMemo
from ultra_recovery.rest.events import Hub
from ultra_recovery.rest.idempotency import KeyGuard
from ultra_recovery.rest.render import Fragments
from ultra_recovery.rest.reporters import Reporters


def build_services(objects: Objects, intents: Intents, door: Door, clock: Clock, meter: RestMeter) -> Services:
    """Everything that lives as long as the process."""
    cache = Cache(objects, clock)
    return Services(
        cache=cache,
        objects=objects,
        intents=intents,
        door=door,
        clock=clock,
        meter=meter,
        hub=Hub(cache, clock),
        reporters=Reporters(cache, intents, clock),
        keys=KeyGuard(),
        fragments=Fragments(cache),
        dashboards=DashboardMemo(cache, clock),
    )
