"""What must hold after every experiment. Each invariant looks at the evidence and answers with violations, in words."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.end_state import EndState, differences
from tests.matrix.faults import NO_FAULT, Fault
from tests.matrix.ledger import LEADER, Entry
from tests.matrix.moves import path_exists
from tests.matrix.times import seconds_between, seconds_of

ENDED = ("Succeeded", "Failed", "Error", "Inconclusive", "Cancelled")
NOTICE_LIMIT = 60.0
NOTIFY = "/notify"
"""Begin of the paths at which notifications arrive: at least once, where hooks are called at most once."""
IDEMPOTENT = "/idempotent"
"""Begin of the paths of hooks that may be called again with the same key."""
_RUN_SLACK = 10.0
"""Seconds that a run may end after its deadline: an operator was killed and came back."""


@dataclass(slots=True)
class Evidence:
    """Everything that is known of one experiment.

    Attributes:
        entries: all mutating requests.
        end: the end state; `reference` is that of the run without a fault, None for that run itself.
        hung: UIDs of pods that were made unhealthy: the only ones that may be evicted; None: all may.
        objects: our objects at the end, by plural.
        hooks: calls that were received, per path and key; `arrivals`: each with its moment.
        budget: most runs with an effect.
        acted_at: moments at which there was something to notice.
        problems: what the experiment itself saw go wrong.
    """

    entries: Sequence[Entry] = ()
    end: EndState = field(default_factory=dict)
    reference: EndState | None = None
    hung: frozenset[str] | None = frozenset()
    objects: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    leases: Sequence[Mapping[str, Any]] = ()
    hooks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    arrivals: Sequence[tuple[float, str, str]] = ()
    budget: int = 1
    log: str = ""
    fault: Fault = NO_FAULT
    acted_at: Sequence[float] = ()
    problems: Sequence[str] = ()

    def applied(self, plural: str, method: str, sub: str = "") -> list[Entry]:
        """Requests of one kind that the server carried out, in order."""
        return [
            entry
            for entry in self.entries
            if entry.applied and (entry.plural, entry.method, entry.sub) == (plural, method, sub)
        ]

    def statuses(self, plural: str) -> dict[str, list[Mapping[str, Any]]]:
        """All statuses that were stored of a kind, by name, in order."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for entry in self.applied(plural, "PATCH", "status"):
            found.setdefault(entry.name, []).append(entry.answer.get("status") or {})
        return found


def evicted_uid(entry: Entry) -> str:
    """The UID that an eviction is bound to, "" when it is bound to none."""
    options = entry.body.get("deleteOptions") or {}
    return str((options.get("preconditions") or {}).get("uid") or "")


def evictions_happen_once(evidence: Evidence) -> Iterator[str]:
    """A pod is evicted at most once, bound to its UID, and only if it was unhealthy."""
    uids = Counter(evicted_uid(entry) for entry in evidence.applied("pods", "POST", "eviction"))
    for uid, count in uids.items():
        if not uid:
            yield f"{count} evictions without a UID"
        elif count > 1:
            yield f"pod {uid} was evicted {count} times"
        elif evidence.hung is not None and uid not in evidence.hung:
            yield f"pod {uid} was evicted although it was healthy"


def intents_come_first(evidence: Evidence) -> Iterator[str]:
    """No pod is evicted, no Job created and no hook called before the intent to do so is stored."""
    intended: dict[str, float] = {}
    for entry in evidence.entries:
        if entry.plural == "recoveryruns" and entry.sub == "status" and entry.applied:
            for name in _identities(entry):
                intended.setdefault(name, entry.at)
        elif (wanted := _needed_intent(entry)) and wanted not in intended:
            yield f"{entry}: sent before its intent was stored"
    for at, path, key in evidence.arrivals:
        if not path.startswith(NOTIFY) and at < intended.get(key, float("inf")):
            yield f"hook {path} was called with key {key!r} before its intent was stored"


def _needed_intent(entry: Entry) -> str:
    """What an effect must be known by before it is sent; "" when the request is none."""
    if entry.sub == "eviction":
        return evicted_uid(entry)
    return entry.name if (entry.plural, entry.method) == ("jobs", "POST") else ""


def _identities(entry: Entry) -> set[str]:
    """What the effects of a run are known by: UIDs of pods, names of Jobs, keys of calls."""
    steps = (entry.answer.get("status") or {}).get("steps") or ()
    effects = [effect for step in steps for effect in step.get("effects") or ()]
    return {str(effect[field]) for effect in effects for field in ("uid", "id") if effect.get(field)}


def jobs_are_made_once(evidence: Evidence) -> Iterator[str]:
    """A Job of one name is created once."""
    for name, count in Counter(entry.name for entry in evidence.applied("jobs", "POST")).items():
        if count > 1:
            yield f"Job {name} was created {count} times"


def hooks_are_called_once(evidence: Evidence) -> Iterator[str]:
    """A hook is called at most once per key; notifications may be repeated, with the same key."""
    for (path, key), count in evidence.hooks.items():
        if count > 1 and not path.startswith((NOTIFY, IDEMPOTENT)):
            yield f"hook {path} was called {count} times with key {key!r}"


def budget_is_kept(evidence: Evidence) -> Iterator[str]:
    """No more runs with an effect than the scenario has a reason for."""
    runs = evidence.objects.get("recoveryruns", ())
    acting = [run for run in runs if any(step.get("effectCount") for step in run.get("status", {}).get("steps") or ())]
    if len(acting) > evidence.budget:
        yield f"{len(acting)} runs had an effect, {evidence.budget} may"


def breakers_move_legally(evidence: Evidence) -> Iterator[str]:
    """Stored states follow the table: an epoch for each move, none backwards."""
    for name, statuses in evidence.statuses("circuitbreakers").items():
        known = [(item["state"], item.get("epoch", 0)) for item in statuses if item.get("state")]
        for (old, before), (new, after) in itertools.pairwise(known):
            if after < before:
                yield f"breaker {name}: epoch went from {before} back to {after}"
            elif not path_exists(old, new, after - before):
                yield f"breaker {name}: {old} (epoch {before}) became {new} (epoch {after})"


def runs_end_once_and_in_time(evidence: Evidence) -> Iterator[str]:
    """Every run has ended, by its deadline, and an ended run is never taken up again."""
    for run in evidence.objects.get("recoveryruns", ()):
        name, status = run["metadata"]["name"], run.get("status") or {}
        if status.get("phase") not in ENDED:
            yield f"run {name} is {status.get('phase')} in the end"
            continue
        took = seconds_between(status.get("startedAt"), status.get("finishedAt"))
        limit = seconds_of(((status.get("plan") or {}).get("limits") or {}).get("timeout"))
        if took is not None and limit is not None and took > limit + _RUN_SLACK:
            yield f"run {name} took {took:.0f} s, limits.timeout is {limit:.0f} s"
    for name, statuses in evidence.statuses("recoveryruns").items():
        phases = [item.get("phase") for item in statuses]
        for before, after in itertools.pairwise(phases):
            if before in ENDED and after != before:
                yield f"run {name} went from {before} to {after}"


def nothing_is_left_behind(evidence: Evidence) -> Iterator[str]:
    """No Lease of a target and no unfinished Job outlives its run."""
    for lease in evidence.leases:
        name = lease["metadata"]["name"]
        if name.startswith("ultra-recovery") and name != LEADER:
            yield f"Lease {name} is left behind, held by {lease.get('spec', {}).get('holderIdentity')}"
    unfinished = evidence.end.get("jobs", {}).get("unfinished", 0)
    if unfinished:
        yield f"{unfinished} Jobs are left unfinished"


def statuses_are_current(evidence: Evidence) -> Iterator[str]:
    """What is shown is of the present spec."""
    for plural in ("circuitbreakers", "recoverypolicies"):
        for item in evidence.objects.get(plural, ()):
            wanted, found = item["metadata"]["generation"], (item.get("status") or {}).get("observedGeneration")
            if wanted != found:
                yield f"{plural} {item['metadata']['name']}: observedGeneration {found}, generation {wanted}"


def the_log_has_no_traceback(evidence: Evidence) -> Iterator[str]:
    """Faults of the world are expected; exceptions that nobody expected are not."""
    for line in evidence.log.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            if "Traceback" in line:
                yield f"traceback in the log: {_excerpt(evidence.log)}"
                return
            continue
        if isinstance(record, dict) and "exception" in record:
            yield f"traceback in the log: {record.get('message')}: {record['exception'][-400:]}"


def _excerpt(log: str) -> str:
    return log[log.index("Traceback") :][-400:]


def the_end_is_the_same(evidence: Evidence) -> Iterator[str]:
    """The end state is that of the run without a fault."""
    if evidence.reference is not None:
        yield from differences(evidence.reference, evidence.end)


def everything_is_noticed(evidence: Evidence) -> Iterator[str]:
    """Something is written within a minute of everything that happens, whatever becomes of the watches."""
    moments = [entry.at for entry in evidence.entries if entry.index]
    for acted in evidence.acted_at:
        after = [moment for moment in moments if moment >= acted]
        if after and min(after) - acted > NOTICE_LIMIT:
            yield f"noticed after {min(after) - acted:.0f} s"


def retry_after_is_honoured(evidence: Evidence) -> Iterator[str]:
    """After a 429 with Retry-After the same process does not send the same request again before that."""
    for number, entry in enumerate(evidence.entries):
        if entry.told != 429 or not entry.retry_after:
            continue
        key = (entry.life, entry.method, entry.plural, entry.name, entry.sub)
        for later in evidence.entries[number + 1 :]:
            same = (later.life, later.method, later.plural, later.name, later.sub) == key
            if same and later.at - entry.at < entry.retry_after - 0.05:
                yield f"{later}: {later.at - entry.at:.1f} s after a 429 that asked for {entry.retry_after:.0f} s"
                break


Invariant = Callable[[Evidence], Iterator[str]]

INVARIANTS: tuple[Invariant, ...] = (
    evictions_happen_once,
    intents_come_first,
    jobs_are_made_once,
    hooks_are_called_once,
    budget_is_kept,
    breakers_move_legally,
    runs_end_once_and_in_time,
    nothing_is_left_behind,
    statuses_are_current,
    the_log_has_no_traceback,
    the_end_is_the_same,
    everything_is_noticed,
    retry_after_is_honoured,
)


def violations(evidence: Evidence) -> list[str]:
    """Everything that does not hold."""
    found = list(evidence.problems)
    for invariant in INVARIANTS:
        found += [f"{invariant.__name__.replace('_', ' ')}: {text}" for text in invariant(evidence)]
    return found
