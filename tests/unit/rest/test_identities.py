"""Every route with every identity: the table is made from the description, so that no route can be forgotten."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.rest.test_fuzz import DESCRIPTION
from tests.unit.rest.world import EXTERNAL, SCOPES, World
from ultra_recovery.rest.reference import scope_of

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BODIES: dict[str, dict[str, Any]] = {
    "reset": {"service_name": "openai"},
    "report": {"service_name": "fed", "outcome": "success"},
    "trial": {"service_name": "fed"},
    "trigger": {"error_type": "CUSTOM_ERROR", "service_name": "custom-service"},
}
OPEN = {"/livez", "/readyz"}
GOOD = {"clear": 422, "reconnect": 422, "approve": 409, "reject": 409, "trial": 200}
PATHS = json.loads(DESCRIPTION.read_text())["paths"]
ROUTES = [(method, path) for path, item in PATHS.items() for method in item if not path.endswith("/events")]


def wanted(method: str, path: str) -> set[str]:
    """The scopes of which one is enough."""
    return set(scope_of(path, method).split(";")[0].split(" or ")) & set(SCOPES)


async def ask(world: World, name: str | None, method: str, path: str) -> tuple[int, Any]:
    real = path.replace("{namespace}", "shop").replace("{name}", "web-1-1")
    body = BODIES.get(path.rsplit("/", 1)[1]) if method == "post" else None
    async with world.caller(name) as client:
        answer = await client.request(method.upper(), real, json=body)
    return answer.status_code, answer


def furnish(world: World) -> None:
    world.breaker("openai")
    world.breaker("fed", target=EXTERNAL, state="HalfOpen")
    world.policy()
    world.run()


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
async def test_without_a_token_there_is_nothing_but_health(world: World, method: str, path: str):
    furnish(world)
    code, answer = await ask(world, None, method, path)
    assert code == (200 if path in OPEN else 401)
    assert path in OPEN or answer.headers["www-authenticate"].startswith("Bearer")
    assert world.writes() == 0


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
async def test_a_token_does_what_its_scope_says_and_nothing_else(world: World, method: str, path: str, scope: str):
    furnish(world)
    code, answer = await ask(world, f"only-{scope}", method, path)
    if path not in OPEN and scope not in wanted(method, path):
        assert code == 403, answer.text
        assert scope_of(path, method).split(" ")[0] in answer.json()["detail"]
        assert world.writes() == 0
    else:
        assert code == GOOD.get(path.rsplit("/", 1)[1], 200 if method == "get" else 202), answer.text


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] not in OPEN], ids=lambda part: part)
async def test_a_token_of_one_namespace_neither_sees_nor_changes_another(world: World, method: str, path: str):
    for name, target in (("openai", None), ("fed", EXTERNAL)):
        world.breaker(name, "bank", state="HalfOpen", **({"target": target} if target else {}))
    world.policy(namespace="bank")
    world.run(namespace="bank")
    code, answer = await ask(world, "shop", method, path.replace("{namespace}", "bank"))
    assert code in ((200,) if method == "get" and "{" not in path else (403, 404, 422)), answer.text
    assert "bank/" not in answer.text
    assert world.writes() == 0


async def test_every_route_is_in_the_table():
    assert len(ROUTES) >= 20
    assert all(wanted(method, path) or path in OPEN for method, path in ROUTES)
