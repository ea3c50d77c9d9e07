"""The HTTP server: uvicorn, with a deadline for headers."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ultra_recovery.rest.limits import ARRIVE_WITHIN, MAX_HEADERS, Application

_KEEP_ALIVE = 30
_MOST_CONNECTIONS = 1000
_SHUTDOWN = 5


class PunctualProtocol(H11Protocol):
    """Closes a connection that does not bring the head of a request in time: uvicorn itself would wait for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a whole head has come, start it when the next one begins."""
        super().data_received(data)
        if self._busy():
            self._stop()
        elif self._deadline is None:
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _busy(self) -> bool:
        """Whether a request is being answered. Before the first one there is no cycle, whatever its type says."""
        cycle = getattr(self, "cycle", None)
        return cycle is not None and not cycle.response_complete

    def _watch_head(self) -> None:
        self._deadline = self.loop.call_later(ARRIVE_WITHIN - 1, self._too_late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if not self._busy() and not self.transport.is_closing():
            self.transport.close()


def build_server(
    application: Application, port: int, host: str = "0.0.0.0", tls: ssl.SSLContext | None = None
) -> uvicorn.Server:
    """A server that is not started yet; its caller handles signals. Without `tls` it speaks plain HTTP."""
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "http": PunctualProtocol,
        "ws": "none",
        "lifespan": "off",
        "loop": "none",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": _KEEP_ALIVE,
        "timeout_graceful_shutdown": _SHUTDOWN,
        "limit_concurrency": _MOST_CONNECTIONS,
        "h11_max_incomplete_event_size": MAX_HEADERS + 8192,
    }
    if tls is not None:
        options["ssl_context_factory"] = lambda *_: tls
    return uvicorn.Server(uvicorn.Config(application, **options))
