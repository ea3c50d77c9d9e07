"""The HTTP door for those who run the operator: metrics and health."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiohttp import web

log = logging.getLogger(__name__)

Check = Callable[[], tuple[str, bool, str]]
"""Gives its name, whether all is well, and a message."""


class OpsServer:
    """Serves /metrics, /livez and /readyz; the latter two say what they checked with `?verbose`.

    Args:
        host: address to listen on.
        port: port to listen on, 0 for any free one.
        render_metrics: gives the body of /metrics and its content type. Called in a thread: ten thousand series take
            long enough to make probes late.
        live_checks: when one fails, the process should be started anew.
        ready_checks: when one fails, the process is not yet or no longer of use.
        before_metrics: called before, in the event loop: brings up to date what is true at the moment of the scrape.
    """

    def __init__(
        self,
        host: str,
        port: int,
        render_metrics: Callable[[], tuple[bytes, str]],
        live_checks: Sequence[Check] = (),
        ready_checks: Sequence[Check] = (),
        before_metrics: Callable[[], None] = lambda: None,
    ) -> None:
        self._host, self._port = host, port
        self._render_metrics = render_metrics
        self._before_metrics = before_metrics
        self._checks = {"/livez": tuple(live_checks), "/readyz": tuple(ready_checks)}
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on; while stopped, the one it was given."""
        addresses = self._runner.addresses if self._runner is not None else []
        return int(addresses[0][1]) if addresses else self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be used.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        for path in self._checks:
            app.router.add_get(path, self._health)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening; idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        self._before_metrics()
        body, content_type = await asyncio.to_thread(self._render_metrics)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _health(self, request: web.Request) -> web.Response:
        results = [_result(check) for check in self._checks[request.path]]
        bad = [item for item in results if not item[1]]
        shown = results if "verbose" in request.query else bad
        lines = [f"[{'+' if ok else '-'}]{name}: {message}" for name, ok, message in shown]
        lines.append("not ok" if bad else "ok")
        return web.Response(text="\n".join(lines) + "\n", status=503 if bad else 200)


def _result(check: Check) -> tuple[str, bool, str]:
    try:
        return check()
    except Exception as error:
        log.exception("a health check raised")
        return getattr(check, "__name__", "check"), False, f"{type(error).__name__}: {error}"
