"""What went through the proxy: every mutating request with its number, and what the server made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MUTATING = ("POST", "PUT", "PATCH", "DELETE")
_RESOURCE = re.compile(
    r"^/apis?/(?:[^/]+/)?v[^/]+/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/?]+)(?:/(?P<name>[^/?]+))?(?:/(?P<sub>[^/?]+))?"
)
LEADER = "ultra-recovery-leader"


@dataclass(slots=True)
class Entry:
    """One mutating request.

    Attributes:
        index: its number from 1; 0 for requests that are not numbered.
        at: when it arrived, in seconds of the proxy's clock.
        status: the server's own answer; 0 when it was never asked.
        told: what the operator was answered; 0 when it got no answer.
        fault: what was done to it.
        life: which process sent it, from 1.
        retry_after: seconds for which the operator was asked to wait, 0 for none.
    """

    index: int
    at: float
    life: int
    method: str
    plural: str
    name: str
    sub: str
    body: Mapping[str, Any]
    status: int = 0
    told: int = 0
    fault: str = ""
    retry_after: float = 0.0
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def applied(self) -> bool:
        """Whether the server carried it out."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        where = "/".join(part for part in (self.plural, self.name, self.sub) if part)
        fault = f" [{self.fault}]" if self.fault else ""
        return f"#{self.index} life {self.life} {self.method} {where} → {self.status or '-'}{fault} {self.summary}"

    @property
    def summary(self) -> str:
        """What the body says, in a few words."""
        status = self.body.get("status")
        if isinstance(status, Mapping):
            words = [f"{key}={status[key]}" for key in ("phase", "state", "reason", "epoch") if status.get(key)]
            return " ".join(words) or ",".join(status)
        return str((self.body.get("metadata") or {}).get("name") or "")


class Ledger:
    """All mutating requests of one experiment, and the newest version of each of our objects."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.entries: list[Entry] = []
        self.latest: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.life = 0
        self.count = 0
        self.pending = 0
        self.last_at = clock()

    def open(self, method: str, path: str, body: bytes) -> Entry:
        """Note a request that arrived; it gets the next number unless it is an Event or the leader's Lease."""
        match = _RESOURCE.match(path)
        parts = match.groupdict() if match else {}
        document = _document(body)
        name = parts.get("name") or str((document.get("metadata") or {}).get("name") or "")
        plural = parts.get("plural") or path
        entry = Entry(0, self._clock(), self.life, method, plural, name, parts.get("sub") or "", document)
        if plural != "events" and not (plural == "leases" and name == LEADER):
            self.count += 1
            entry.index = self.count
            self.last_at = max(self.last_at, entry.at)
        self.pending += 1
        self.entries.append(entry)
        return entry

    def close(self, entry: Entry, status: int, body: bytes) -> None:
        """Note the server's answer."""
        entry.status = status
        entry.answer = _document(body)
        if entry.applied and entry.answer.get("kind") in ("CircuitBreaker", "RecoveryPolicy", "RecoveryRun"):
            self.latest[entry.plural, entry.name] = entry.answer

    def leave(self, entry: Entry) -> None:
        """Note that a request is over, whatever became of it."""
        self.pending -= 1
        if entry.index:
            # Whoever was asked to wait is quiet because of that, and comes again.
            self.last_at = max(self.last_at, self._clock() + entry.retry_after)

    def quiet_for(self, seconds: float) -> bool:
        """Whether nothing is under way and no numbered request came for this long."""
        return not self.pending and self._clock() - self.last_at > seconds

    def numbered(self) -> list[Entry]:
        """The requests that count."""
        return [entry for entry in self.entries if entry.index]

    def status(self, plural: str, name: str) -> Mapping[str, Any]:
        """The status that the operator wrote last to an object; empty before the first."""
        found: Mapping[str, Any] = (self.latest.get((plural, name)) or {}).get("status") or {}
        return found

    def runs(self) -> dict[str, Mapping[str, Any]]:
        """Statuses of all runs by name."""
        names = sorted(name for plural, name in self.latest if plural == "recoveryruns")
        return {name: self.status("recoveryruns", name) for name in names}


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
