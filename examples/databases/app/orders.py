"""A service that keeps orders in a database, and can be made to use that database badly.

POST /work?order=ID&item=N  keeps an order: a row in the ledger and one more sold of the item, in one transaction;
                            200 = committed
GET  /healthz               readiness: 200 while a transaction on a connection of the pool is done within a deadline
GET  /writable              200 while such a transaction may also write; nothing is changed
GET  /stats                 the pool and what was done, as JSON
POST /pool/refresh          lets the pool drop dead connections; safe to repeat
POST /leak?n=N&item=I&seconds=S&pool=no
                            N transactions that stay open and do nothing, for S seconds or for ever; with an item they
                            lock its row; with pool=no on connections beside the pool, each tried until it is there
POST /slow?n=N&seconds=S    N queries of S seconds on connections of the pool
POST /release               ends what /leak holds

The environment says which database: VARIANT, DATABASE_HOST, DATABASE_PORT, DATABASE_NAME, DATABASE_SECRET,
POOLER=transaction, POOL_SIZE, POOL_OVERFLOW.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stores import FAILURES, Settings, Store, open_store

PORT = 8080
PATIENCE = 2.0
READY_SECONDS = 1.5
FOR_EVER = 3600.0
MOST_AT_ONCE = 40
MOST_HELD = 200
RETRY_SECONDS = 0.2

Answer = tuple[HTTPStatus, str]
Query = Mapping[str, str]


class Orders:
    """The state of this replica, and its answers."""

    def __init__(self, name: str, store: Store) -> None:
        self._name = name
        self._store = store
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._checker = ThreadPoolExecutor(1)
        self._check: Future[str] | None = None
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._held = 0
        self._release = threading.Event()
        self._routes: dict[tuple[str, str], Callable[[Query], Answer]] = {
            ("POST", "/work"): self._work,
            ("GET", "/healthz"): self._healthz,
            ("GET", "/writable"): self._writable,
            ("GET", "/stats"): self._stats,
            ("POST", "/pool/refresh"): self._refresh,
            ("POST", "/leak"): self._leak,
            ("POST", "/slow"): self._slow,
            ("POST", "/release"): self._let_go,
        }

    def answer(self, method: str, target: str) -> Answer:
        """The answer to one request."""
        url = urlsplit(target)
        route = self._routes.get((method, url.path))
        if route is None:
            return HTTPStatus.NOT_FOUND, "no such page"
        try:
            return route({key: values[0] for key, values in parse_qs(url.query).items()})
        except (KeyError, ValueError) as error:
            return HTTPStatus.BAD_REQUEST, f"missing or not a number: {error}"

    def _work(self, query: Query) -> Answer:
        order, item = query["order"], int(query["item"])
        if not self._room.acquire(blocking=False):
            return self._failed("Busy", "too many requests wait for the database")
        try:
            with self._store.transaction() as run:
                run("INSERT INTO ledger (id, pod) VALUES (%s, %s)", order, self._name)
                run("UPDATE stock SET sold = sold + 1 WHERE item = %s", item)
        except FAILURES as error:
            return self._failed(type(error).__name__, str(error).strip().partition("\n")[0])
        finally:
            self._room.release()
        self._count("ok")
        return HTTPStatus.OK, f"kept {order}"

    def _failed(self, kind: str, message: str) -> Answer:
        self._count("failed")
        self._count(kind)
        return HTTPStatus.SERVICE_UNAVAILABLE, f"{kind}: {message}"

    def _count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self._counts[what] += by

    def _healthz(self, _: Query) -> Answer:
        """One check at a time: a check that hangs is the answer, not a reason for a second one."""
        with self._lock:
            if self._check is None or self._check.done():
                self._check = self._checker.submit(self._try)
            check = self._check
        try:
            problem = check.result(READY_SECONDS)
        except TimeoutError:
            problem = f"no transaction within {READY_SECONDS} s"
        return (HTTPStatus.SERVICE_UNAVAILABLE, problem) if problem else (HTTPStatus.OK, "ok")

    def _try(self) -> str:
        try:
            with self._store.transaction() as run:
                run("SELECT 1")
        except FAILURES as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _writable(self, _: Query) -> Answer:
        """A read-only server refuses a write even where it would change no row."""
        if not self._room.acquire(blocking=False):
            return HTTPStatus.SERVICE_UNAVAILABLE, "too many requests wait for the database"
        try:
            with self._store.transaction() as run:
                run("UPDATE stock SET sold = sold WHERE item = %s", 0)
        except FAILURES as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"{type(error).__name__}: {error}"
        finally:
            self._room.release()
        return HTTPStatus.OK, "ok"

    def _stats(self, _: Query) -> Answer:
        with self._lock:
            counts, held = dict(self._counts), self._held
        done = {key: counts.pop(key, 0) for key in ("ok", "failed", "refreshed")}
        stats = {"pod": self._name, **done, "failures": counts, "held": held, "pool": self._store.figures()}
        return HTTPStatus.OK, json.dumps(stats)

    def _refresh(self, _: Query) -> Answer:
        try:
            self._store.refresh()
        except FAILURES as error:
            return self._failed(type(error).__name__, "the pool was not refreshed")
        self._count("refreshed")
        return HTTPStatus.OK, "refreshed"

    def _leak(self, query: Query) -> Answer:
        statement = ("SELECT 1",)
        if item := int(query.get("item", "0")):
            statement = ("SELECT sold FROM stock WHERE item = %s FOR UPDATE", item)
        seconds, pooled = float(query.get("seconds", FOR_EVER)), query.get("pool") != "no"
        return self._start(int(query["n"]), lambda: self._hold(statement, seconds, pooled=pooled))

    def _slow(self, query: Query) -> Answer:
        statement = (self._store.sleep, float(query["seconds"]))
        return self._start(int(query.get("n", "1")), lambda: self._hold(statement, 0, pooled=True))

    def _let_go(self, _: Query) -> Answer:
        self._release.set()
        self._release = threading.Event()
        return HTTPStatus.OK, "released"

    def _start(self, number: int, work: Callable[[], None]) -> Answer:
        if not 0 < number <= MOST_HELD:
            return HTTPStatus.BAD_REQUEST, f"n must be between 1 and {MOST_HELD}"
        for _ in range(number):
            threading.Thread(target=work, daemon=True).start()
        return HTTPStatus.ACCEPTED, f"{number} started"

    def _hold(self, statement: tuple[object, ...], seconds: float, *, pooled: bool) -> None:
        """Runs a statement in a transaction and stays in it, like a handler that waits for something else."""
        released, end = self._release, time.monotonic() + seconds
        while not released.is_set():
            try:
                with self._store.transaction(pooled=pooled) as run:
                    run(*statement)
                    with self._lock:
                        self._held += 1
                    try:
                        released.wait(end - time.monotonic())
                    finally:
                        with self._lock:
                            self._held -= 1
            except FAILURES as error:
                self._count(f"held {type(error).__name__}")
                if not pooled and time.monotonic() < end:
                    time.sleep(RETRY_SECONDS)
                    continue
            return


def handler(orders: Orders) -> type[BaseHTTPRequestHandler]:
    """What the HTTP server calls for each request."""

    class Handler(BaseHTTPRequestHandler):
        """Every connection serves one request."""

        def _answer(self) -> None:
            status, text = orders.answer(self.command, self.path)
            content = f"{text}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the names that the HTTP server looks for

        def log_message(self, *_: object) -> None:
            """Nothing: the counters say it."""

    return Handler


class Server(ThreadingHTTPServer):
    """Threads, since most drivers wait in them; a client that goes away is no event."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Nothing."""


def settings(environ: Mapping[str, str]) -> Settings:
    """The settings that the environment gives."""
    return Settings(
        host=environ["DATABASE_HOST"],
        port=int(environ["DATABASE_PORT"]),
        database=environ.get("DATABASE_NAME", "orders"),
        secret=Path(environ.get("DATABASE_SECRET", "/secrets/app")),
        pooled=environ.get("POOLER") == "transaction",
        size=int(environ.get("POOL_SIZE", "4")),
        overflow=int(environ.get("POOL_OVERFLOW", "2")),
        patience=PATIENCE,
    )


def main() -> None:
    """Serves until told to end."""
    store = open_store(os.environ["VARIANT"], settings(os.environ))
    server = Server(("", PORT), handler(Orders(os.uname().nodename, store)))
    for number in (signal.SIGTERM, signal.SIGINT):
        # From a thread, since the server waits for its loop, which runs in this one.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"listening on port {PORT}\n")
    server.serve_forever()
    sys.stdout.flush()
    # Threads that wait for a database that does not answer would keep the process for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
