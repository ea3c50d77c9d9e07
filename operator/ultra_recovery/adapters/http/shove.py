"""Breaks a pod of a drill on purpose, by the one request that its service offers for it."""

from __future__ import annotations

import aiohttp

from ultra_recovery.core.errors import Unavailable

_WITHIN = aiohttp.ClientTimeout(total=5)


async def shove(address: str, port: int) -> None:
    """Send the request.

    Args:
        address: IP address of the pod.
        port: its port.

    Raises:
        Unavailable: the pod did not take it.
    """
    host = f"[{address}]" if ":" in address else address
    try:
        # No proxy of the environment: the pod is next door.
        async with (
            aiohttp.ClientSession(timeout=_WITHIN, trust_env=False) as session,
            session.post(f"http://{host}:{port}/break") as response,
        ):
            response.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"pod {address} cannot be reached: {str(error) or type(error).__name__}") from error
