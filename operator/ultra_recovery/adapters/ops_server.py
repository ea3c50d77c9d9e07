"""/metrics, /livez and /readyz of a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

Check = Callable[[], tuple[str, bool, str]]
"""Gives (name, whether it is well, a sentence)."""


class OpsServer:
    """A small HTTP server for machines that watch this process. It serves nothing else."""

    def __init__(
        self,
        host: str,
        port: int,
        render_metrics: Callable[[], tuple[bytes, str]],
        live_checks: Sequence[Check],
        ready_checks: Sequence[Check],
    ) -> None:
        self._host, self._port = host, port
        self._render = render_metrics
        self._checks = {"/livez": live_checks, "/readyz": ready_checks}
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on; useful when 0 was asked for."""
        addresses = self._runner.addresses if self._runner else []
        return int(addresses[0][1]) if addresses else self._port

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/metrics", self._metrics)
        for path in self._checks:
            app.router.add_get(path, self._answer)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=15)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=64).start()

    async def stop(self) -> None:
        """Stop listening; what is being answered gets a second."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, request: web.Request) -> web.Response:
        del request
        body, content_type = self._render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _answer(self, request: web.Request) -> web.Response:
        results = [check() for check in self._checks[request.path]]
        well = all(ok for _, ok, _ in results)
        lines = [f"[{'+' if ok else '-'}] {name}: {message}" for name, ok, message in results]
        verbose = "verbose" in request.query or not well
        text = "\n".join([*lines, "ok" if well else "failed"]) if verbose else "ok"
        return web.Response(text=text + "\n", status=200 if well else 503)
