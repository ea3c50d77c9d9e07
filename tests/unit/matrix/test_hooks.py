"""The receiver of hooks and notifications."""

from __future__ import annotations

import aiohttp

from tests.matrix.hooks import HookServer


async def test_calls_are_counted_by_path_and_key():
    async with HookServer() as hooks, aiohttp.ClientSession() as session:
        hooks.codes["/refuses"] = 503
        for _ in range(2):
            async with session.post(f"{hooks.url}/hook", headers={"Idempotency-Key": "run/step"}, json={}) as answer:
                assert answer.status == 200
        async with session.post(f"{hooks.url}/notify", json={"id": "run/page"}) as answer:
            assert answer.status == 200
        async with session.post(f"{hooks.url}/refuses", data=b"no json") as answer:
            assert answer.status == 503
    assert hooks.calls == {("/hook", "run/step"): 2, ("/notify", "run/page"): 1, ("/refuses", ""): 1}
    assert [path for _, path, _ in hooks.arrivals] == ["/hook", "/hook", "/notify", "/refuses"]
