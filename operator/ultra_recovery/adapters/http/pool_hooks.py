"""The port PoolHooks: one POST to one pod, to the address itself."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from ultra_recovery.core.database_request import Place
from ultra_recovery.job_ports import HookAnswer


class HttpPoolHooks:
    """Calls hooks. No redirects, no proxy, no cookies, no credentials; nothing of the answer but its code is read."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent

    async def post(self, place: Place, path: str, key: str, within: float) -> HookAnswer:
        """POST once."""
        host = f"[{place.host}]" if ":" in place.host else place.host
        headers = {"User-Agent": self._user_agent, "Idempotency-Key": key, "Content-Length": "0"}
        try:
            async with (
                asyncio.timeout(within),
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None),
                    trust_env=False,
                ) as session,
                session.post(
                    URL(f"http://{host}:{place.port}{path}", encoded=True), headers=headers, allow_redirects=False
                ) as response,
            ):
                return HookAnswer(200 <= response.status < 300, str(response.status))
        except TimeoutError:
            return HookAnswer(False, f"no answer within {within:g} s")
        except (aiohttp.ClientError, OSError, ValueError):
            return HookAnswer(False, "connection refused or no valid answer")
