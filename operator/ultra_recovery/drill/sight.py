"""What a drill sees of its objects at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultra_recovery.apis.run_status import RunPhase

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sight:
    """Pods that do not terminate, the policy, and its newest run."""

    pods: Sequence[Document]
    policy: Document | None
    run: Document | None

    @property
    def ready(self) -> frozenset[str]:
        """UIDs of the pods that are Ready."""
        return frozenset(pod["metadata"]["uid"] for pod in self.pods if is_ready(pod))

    @property
    def phase(self) -> str:
        """Phase of the run, "" before there is one."""
        return str(status(self.run).get("phase", ""))

    @property
    def succeeded(self) -> bool:
        """Whether the run ended well."""
        return self.phase == RunPhase.SUCCEEDED

    @property
    def failed(self) -> bool:
        """Whether the run ended otherwise."""
        return bool(self.phase) and RunPhase(self.phase).completed and not self.succeeded

    def lines(self) -> Iterator[str]:
        """What there is to say, each thing in one line; a line that was said once need not be said again."""
        unready = sorted(pod["metadata"]["name"] for pod in self.pods if not is_ready(pod))
        yield f"{len(self.ready)} of {len(self.pods)} pods Ready" + (f", not {', '.join(unready)}" if unready else "")
        decision = status(self.policy).get("lastDecision") or {}
        if decision and not self.run:
            yield f"policy: {decision.get('decision')}/{decision.get('reason')}: {decision.get('message')}"
        if self.run is None:
            return
        name, record = self.run["metadata"]["name"], status(self.run)
        for step in record.get("steps", ()):
            for effect in step.get("effects", ()):
                what = f"{effect.get('kind')} {effect.get('object')}"
                yield f"step {step['name']}: {what}: {effect.get('outcome', 'begun')}"
            if step.get("result"):
                yield f"step {step['name']}: {step['result']}"
        yield f"run {name}: {self.phase or 'Pending'}" + (f": {record['message']}" if record.get("message") else "")


def status(document: Document | None) -> Document:
    """The status of an object, empty when there is none."""
    found: Document = (document or {}).get("status") or {}
    return found


def is_ready(document: Document | None) -> bool:
    """Whether the condition Ready is True."""
    conditions = status(document).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
