"""The contract of reports, which the port Intents takes."""

from __future__ import annotations

import pytest

from tests.contract.world import World, breaker
from ultra_recovery.core.errors import NotFound
from ultra_recovery.core.objects import Key, Kind

ENTRY = {
    "name": "gateway",
    "epoch": 1,
    "consecutiveFailures": 2,
    "consecutiveSuccesses": 0,
    "lastOutcome": "Failure",
    "message": "HTTP 503",
    "changedAt": "2026-01-05T09:00:00.000Z",
    "reportedAt": "2026-01-05T09:00:01.000Z",
}


class ReportsContract:
    @pytest.fixture
    def key(self, world: World) -> Key:
        return Key(Kind.BREAKER, world.namespace, "orders")

    async def test_reporters_write_their_own_entries_and_leave_the_others_alone(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        await world.objects.write_status(key, {"state": "Closed"}, {}, str(added["metadata"]["resourceVersion"]))
        await world.intents.apply_reporter(key, ENTRY)
        await world.intents.apply_reporter(key, {**ENTRY, "name": "shop"})
        stored = await world.intents.apply_reporter(key, {**ENTRY, "consecutiveFailures": 3})
        counts = {item["name"]: item["consecutiveFailures"] for item in stored["status"]["reporters"]}
        assert counts == {"gateway": 3, "shop": 2}
        assert stored["status"]["state"] == "Closed"

    async def test_a_report_to_a_breaker_that_is_gone_is_not_found(self, world: World, key: Key):
        with pytest.raises(NotFound):
            await world.intents.apply_reporter(key, ENTRY)
