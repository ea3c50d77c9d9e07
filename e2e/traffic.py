"""Steady load on an app, and what became of every single request."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from e2e.install import read
from e2e.kube import Kube, wait_for

STEADY = 3.0


@dataclass(frozen=True)
class Result:
    """The fate of one request: sent at `at` (seconds since 1970), known `took` seconds later."""

    order: str
    at: float
    took: float
    ok: bool
    why: str


@dataclass(frozen=True)
class Outage:
    """What a fault did to the requests sent since a moment; times in seconds after it.

    Attributes:
        sent: Requests sent.
        failed: How many of them were not acknowledged.
        first_failure: When the first of these was sent; None without any.
        recovered: When the first request of the lasting recovery was sent: every one after it succeeded, for `STEADY`
            seconds at least; None while there is no recovery. Zero without any failure.
    """

    sent: int
    failed: int
    first_failure: float | None
    recovered: float | None

    @property
    def rate(self) -> float:
        """The share of requests that were acknowledged."""
        return 1 - self.failed / self.sent if self.sent else 1.0


def outage(results: Iterable[Result], since: float, until: float = float("inf")) -> Outage:
    """What happened to the requests sent in a span of time."""
    sent = sorted((result for result in results if since <= result.at < until), key=lambda result: result.at)
    failures = [result for result in sent if not result.ok]
    if not failures:
        return Outage(len(sent), 0, None, 0.0)
    after = [result for result in sent if result.at > failures[-1].at]
    lasting = bool(after) and after[-1].at - after[0].at >= STEADY
    return Outage(len(sent), len(failures), failures[0].at - since, after[0].at - since if lasting else None)


def settled(results: Iterable[Result]) -> list[Result]:
    """Those before which every order's fate is known, in the order in which they were sent.

    An order that nobody answers fails seconds after others that were sent later have succeeded.
    """
    found = sorted(results, key=_number)
    return [result for place, result in enumerate(found) if _number(result) == place]


def _number(result: Result) -> int:
    """Orders of a load are numbered from 0."""
    return int(result.order.rpartition("-")[2])


def per_second(results: Iterable[Result], since: float) -> list[float]:
    """The success rate of each second since a moment; seconds in which nothing was sent are left out."""
    seconds: dict[int, list[bool]] = defaultdict(list)
    for result in results:
        if result.at >= since:
            seconds[int(result.at - since)].append(result.ok)
    return [sum(fates) / len(fates) for _, fates in sorted(seconds.items())]


@dataclass(frozen=True)
class LedgerCheck:
    """Acknowledged orders against the rows of the ledger.

    Attributes:
        acknowledged: Orders whose commit was acknowledged.
        missing: Acknowledged, and not in the ledger: lost commits.
        repeated: In the ledger more than once.
        unknown: In the ledger without an acknowledgement: the commit happened, the answer got lost; allowed.
        balanced: Whether as many were sold as the ledger has rows: no transaction was kept by half.
    """

    acknowledged: int
    missing: Sequence[str]
    repeated: Sequence[str]
    unknown: int
    balanced: bool

    @property
    def holds(self) -> bool:
        """Whether every acknowledged order is there exactly once, and nothing is there by half."""
        return not self.missing and not self.repeated and self.balanced


def check_ledger(acknowledged: Iterable[str], rows: Sequence[str], *, balanced: bool) -> LedgerCheck:
    """Compare what was acknowledged with the rows that the ledger has of the same load."""
    known, kept = set(acknowledged), set(rows)
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row] += 1
    repeated = sorted(row for row, count in counts.items() if count > 1)
    return LedgerCheck(len(known), sorted(known - kept), repeated, len(kept - known), balanced)


class Traffic:
    """Load from a pod in the cluster while the block runs; every result is known here as soon as it is printed there.

    The clocks of the node and of this machine are taken to agree, as they do where both are one machine.
    """

    def __init__(self, kube: Kube, *, rate: float = 20.0, seconds: float = 300.0, patience: float = 3.0) -> None:
        self._kube = kube
        options = (f"--rate={rate:g}", f"--seconds={seconds:g}", f"--patience={patience:g}")
        # A name of its own: the pod of the load before may not have gone yet.
        self._pod = f"load-{uuid.uuid4().hex[:6]}"
        manifest = read("examples/databases/load.yaml").replace("name: load\n", f"name: {self._pod}\n", 1)
        self._manifest = manifest.replace("--rate=20, --seconds=120", ", ".join(options))
        self._follower: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        self._kube.apply(self._manifest)
        self._kube.run("wait", f"pod/{self._pod}", "--for=jsonpath={.status.phase}=Running", "--timeout=60s")
        self._follower = subprocess.Popen(
            ["kubectl", "-n", self._kube.namespace, "logs", "--follow", self._pod], stdout=subprocess.PIPE, text=True
        )
        self._reader.start()
        wait_for(lambda: self.results, "the load begins")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            if self._follower:
                self._follower.kill()
                with self._follower:
                    self._reader.join()
            self._kube.run("delete", "pod", self._pod, "--wait=false", "--ignore-not-found")

    def stop(self) -> None:
        """End the load, and wait until the fate of every request is known; harmless when it has ended."""
        if "sent" not in self._last():
            self._kube.run("exec", self._pod, "--", "sh", "-c", "kill -TERM 1", check=False)
            wait_for(lambda: "sent" in self._last(), "the load ends", instead=self._last)
        assert self._last()["sent"] == len(self.results), "results got lost on the way"

    @property
    def results(self) -> list[Result]:
        """Every result so far, in the order in which they became known."""
        lines = [json.loads(line) for line in list(self._lines)]
        return [Result(**line) for line in lines if "order" in line]

    @property
    def run(self) -> str:
        """What the names of all orders of this load begin with."""
        return self.results[0].order.partition("-")[0]

    def outage(self, since: float, until: float = float("inf")) -> Outage:
        """What happened to the requests sent in a span of time; those under way do not count yet."""
        return outage(self.results, since, until)

    def wait_until_failing(self, since: float, seconds: float = 30.0) -> float:
        """Wait for the first request sent since a moment that fails; seconds from that moment to it."""
        found = wait_for(lambda: self._first_failure(since), "a request fails", seconds=seconds)
        return found[0]

    def wait_until_well(self, since: float, seconds: float = 60.0) -> float:
        """Wait for lasting recovery from what happened at a moment; seconds from then to its first request."""
        found = wait_for(
            lambda: self._recovered(since), "the app recovers", seconds=seconds, instead=lambda: self.results[-3:]
        )
        return found[0]

    def acknowledged(self) -> list[str]:
        """The orders that were acknowledged."""
        return [result.order for result in self.results if result.ok]

    def _first_failure(self, since: float) -> tuple[float] | None:
        first = self.outage(since).first_failure
        return None if first is None else (first,)

    def _recovered(self, since: float) -> tuple[float] | None:
        known = settled(self.results)
        recovered = outage(known, since).recovered
        # Without a failure so far, STEADY seconds of it must be known to call it well.
        if recovered is None or not known or known[-1].at < since + STEADY:
            return None
        return (recovered,)

    def _last(self) -> dict[str, object]:
        last: dict[str, object] = json.loads(self._lines[-1]) if self._lines else {}
        return last

    def _read(self) -> None:
        assert self._follower
        assert self._follower.stdout
        for line in self._follower.stdout:
            self._lines.append(line)
