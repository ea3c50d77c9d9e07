"""Operators as processes: started, killed as the kernel would, started again as a kubelet would."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.matrix.proxy import Proxy

PROJECT = Path(__file__).resolve().parents[2]
_KILLED = -signal.SIGKILL


class Nursery:
    """The process that forks operators; one for all experiments."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._started: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._numbers = itertools.count()

    async def __aenter__(self) -> Nursery:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "operator"), str(PROJECT)])}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.matrix.nursery",
            cwd=PROJECT,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def start(self, environment: Mapping[str, str], log: Path) -> int:
        """Fork an operator; its process id."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        self._started[number] = asyncio.get_running_loop().create_future()
        order = {"id": number, "environment": dict(environment), "log": str(log)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return await self._started[number]

    def ended(self, pid: int) -> asyncio.Future[int]:
        """The exit code of a process, once it has ended; negative when a signal ended it."""
        if pid not in self._ended:
            self._ended[pid] = asyncio.get_running_loop().create_future()
        return self._ended[pid]

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            document = json.loads(line)
            if "pid" in document:
                self._started.pop(document["started"]).set_result(document["pid"])
            else:
                self.ended(document["ended"]).set_result(document["code"])


class OperatorProcess:
    """One operator and its later lives. Its pod keeps its name, so its identity stays the same."""

    def __init__(self, nursery: Nursery, proxy: Proxy, namespace: str, folder: Path, extra: Mapping[str, str]) -> None:
        self._nursery = nursery
        self._proxy = proxy
        self.log = folder / f"{namespace}.log"
        kubeconfig = folder / f"{namespace}.kubeconfig"
        proxy.write_kubeconfig(kubeconfig)
        proxy.kill = self.kill
        self._environment = {
            "KUBECONFIG": str(kubeconfig),
            "ULTRA_NAMESPACE": namespace,
            "ULTRA_WATCH_NAMESPACES": namespace,
            "ULTRA_IDENTITY": f"operator-{namespace}",
            "ULTRA_LOG_LEVEL": "INFO",
            "ULTRA_OPS_PORT": "0",
            **extra,
        }
        self._pid = 0
        self._wanted = False
        self._keeper: asyncio.Task[None] | None = None
        self.unexpected: list[str] = []
        self.lives = 0

    async def start(self) -> None:
        """Start it, and start it again whenever it ends, until `stop`."""
        self._wanted = True
        await self._begin()
        self._keeper = asyncio.create_task(self._keep())

    async def _begin(self) -> None:
        self.lives += 1
        self._proxy.ledger.life = self.lives
        self._pid = await self._nursery.start(self._environment, self.log)

    async def _keep(self) -> None:
        while self._wanted:
            code = await asyncio.shield(self._nursery.ended(self._pid))
            if not self._wanted:
                return
            if code != _KILLED:
                self.unexpected.append(f"the operator ended by itself with code {code} in life {self.lives}")
                await asyncio.sleep(1)
            await self._begin()

    async def kill(self) -> None:
        """Kill -9; returns when it is dead."""
        pid = self._pid
        ended = self._nursery.ended(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await asyncio.shield(ended)

    async def stop(self) -> None:
        """Kill it for good."""
        self._wanted = False
        if self._pid:
            await self.kill()
        if self._keeper is not None:
            await self._keeper
