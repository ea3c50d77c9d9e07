"""Who gets in: tokens of a file, tokens of the cluster, limits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from tests.unit.rest.world import AUDIENCE, World, entry, token
from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.ports import Reviewed
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.auth.identity import Scope
from ultra_recovery.rest.auth.kubernetes import RIGHTS
from ultra_recovery.rest.auth.limiter import FailureLimiter
from ultra_recovery.rest.auth.token_file import TokenFileError, read_tokens
from ultra_recovery.settings import ApiSettings, SettingsError

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

STATUS = "/api/recovery/status"
TRIGGER = "/api/recovery/trigger"
BODY = {"error_type": "CUSTOM_ERROR", "service_name": "custom-service"}
JWT = "aaaa.bbbb.cccc"


@pytest.fixture
def cluster(tmp_path: Path) -> World:
    """A world in which tokens of the cluster are good, too, and jane has all rights in shop."""
    world = World(tmp_path, kubernetes=True)
    world.reviewer.tokens[JWT, AUDIENCE] = Reviewed("jane", groups=("oncall",))
    world.reviewer.rights = {("jane", right, "shop") for right in RIGHTS.values()}
    world.policy()
    world.policy(namespace="bank")
    return world


async def get(world: World, *values: bytes, path: str = STATUS) -> httpx.Response:
    async with world.caller(None) as client:
        return await client.get(path, headers=[(b"Authorization", value) for value in values])


async def test_the_process_does_not_start_without_a_way_to_recognise_anybody():
    with pytest.raises(SettingsError, match="there is no default token"):
        ApiSettings.read({})
    with pytest.raises(ValueError, match="no way of authentication"):
        Door([], FailureLimiter(FakeClock()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param("[]", "object", id="a list"),
        pytest.param('{"tokens": [{"name": "x"}]}', "tokens.0", id="a field is missing"),
        pytest.param(json.dumps({"tokens": [entry("x"), entry("x")]}), "same name", id="two of a name"),
        pytest.param(json.dumps({"tokens": [{**entry("x"), "sha256": "secret"}]}), "sha256", id="no digest"),
        pytest.param(json.dumps({"tokens": [{**entry("x"), "scopes": ["all"]}]}), "scopes", id="no such scope"),
        pytest.param(json.dumps({"tokens": [{**entry("x"), "token": "t"}]}), "token", id="a token in clear"),
    ],
)
async def test_a_token_file_that_cannot_be_used_is_refused_with_the_place(tmp_path: Path, text: str | None, words: str):
    path = tmp_path / "tokens.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TokenFileError, match=words) as caught:
        read_tokens(path)
    assert "secret" not in str(caught.value)


async def test_tokens_are_replaced_within_a_minute_without_a_restart(world: World):
    world.write_tokens([entry("new")])
    assert (await get(world, f"Bearer {token('all')}".encode())).status_code == 200
    await world.clock.sleep(30)
    assert (await get(world, f"Bearer {token('new')}".encode())).status_code == 200
    assert (await get(world, f"Bearer {token('all')}".encode())).status_code == 401


async def test_a_file_that_became_unusable_changes_nothing(world: World):
    world.tokens.write_text("{")
    await world.clock.sleep(60)
    assert (await get(world, f"Bearer {token('all')}".encode())).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Bearer", id="no token"),
        pytest.param(b"Bearer ", id="an empty token"),
        pytest.param(b"Basic dXNlcjpwYXNz", id="another scheme"),
        pytest.param(b"Bearer \xff\xfe\xc3", id="not ASCII"),
        pytest.param("Bearer schlüssel".encode(), id="UTF-8"),
        pytest.param(b"Bearer " + b"x" * 8000, id="long"),
        pytest.param(b"Bearer a.b.c", id="like one of the cluster"),
        pytest.param(token("all").encode(), id="without its scheme"),
        pytest.param(b"Bearer " + hashlib.sha256(token("all").encode()).hexdigest().encode(), id="the digest"),
    ],
)
async def test_whoever_is_not_known_gets_401(world: World, value: bytes):
    assert (await get(world, value)).status_code == 401


async def test_a_header_that_comes_twice_is_refused(world: World):
    good = f"Bearer {token('all')}".encode()
    assert (await get(world, good, good)).status_code == 400


async def test_after_twenty_failures_an_address_must_wait_but_a_good_token_is_let_in(world: World):
    codes = [(await get(world, b"Bearer wrong")).status_code for _ in range(22)]
    assert codes == [401] * 20 + [429] * 2
    refused = await get(world, b"Bearer wrong")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await get(world, f"Bearer {token('all')}".encode())).status_code == 200
    await world.clock.sleep(61)
    assert (await get(world, b"Bearer wrong")).status_code == 401


async def test_failures_are_limited_before_the_cluster_is_asked(cluster: World):
    for number in range(1000):
        await get(cluster, b"Bearer bad.token.%d" % number)
    assert cluster.reviewer.asked.count("authenticate") == 20


async def test_a_token_of_the_cluster_has_the_rights_of_its_owner(cluster: World):
    good = {"Authorization": f"Bearer {JWT}"}
    async with cluster.caller(None) as client:
        status = await client.get(STATUS, headers=good)
        created = await client.post(TRIGGER, json=BODY, headers=good)
        other = await client.post(TRIGGER, json={**BODY, "service_name": "bank/custom-service"}, headers=good)
    assert (status.status_code, status.json()["counters"]["policies"]) == (200, 1)
    assert created.status_code == 202, created.text
    assert [item["spec"]["requestedBy"] for item in cluster.runs()] == ["jane"]
    assert other.status_code == 403


async def test_a_token_for_another_audience_is_nobodys(cluster: World):
    cluster.reviewer.tokens["x.y.z", "another"] = Reviewed("jane")
    assert (await get(cluster, b"Bearer x.y.z")).status_code == 401


async def test_reads_ask_the_cluster_once_and_mutations_every_time(cluster: World):
    for _ in range(5):
        await get(cluster, f"Bearer {JWT}".encode())
    assert cluster.reviewer.asked.count("authenticate") == 1
    asked = len(cluster.reviewer.asked)
    cluster.reviewer.rights.clear()
    async with cluster.caller(None) as client:
        answer = await client.post(TRIGGER, json=BODY, headers={"Authorization": f"Bearer {JWT}"})
    assert answer.status_code == 403
    assert cluster.reviewer.asked[asked] == "authenticate"
    assert not cluster.runs()


async def test_a_revoked_token_changes_nothing_any_more(cluster: World):
    await get(cluster, f"Bearer {JWT}".encode())
    cluster.reviewer.tokens.clear()
    async with cluster.caller(None) as client:
        answer = await client.post(TRIGGER, json=BODY, headers={"Authorization": f"Bearer {JWT}"})
    assert answer.status_code == 401
    assert (await get(cluster, f"Bearer {JWT}".encode())).status_code == 401


async def test_when_the_cluster_cannot_be_asked_the_answer_is_503_with_retry_after(cluster: World):
    cluster.reviewer.outage = True
    answer = await get(cluster, f"Bearer {JWT}".encode())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await get(cluster, f"Bearer {token('all')}".encode())).status_code == 200


async def test_force_is_a_scope_of_its_own_and_needs_a_reason(world: World):
    world.policy()
    async with world.caller("person") as client:
        refused = await client.post(TRIGGER, json={**BODY, "force": True, "reason": "now"})
    async with world.caller("all") as client:
        silent = await client.post(TRIGGER, json={**BODY, "force": True})
        forced = await client.post(TRIGGER, json={**BODY, "force": True, "reason": "now"})
    assert (refused.status_code, silent.status_code, forced.status_code) == (403, 422, 202)
    assert [(item["spec"]["force"], item["spec"]["reason"]) for item in world.runs()] == [(True, "now")]


async def test_every_scope_has_a_right():
    assert set(RIGHTS) == set(Scope)
