"""What is told of breakers."""

from __future__ import annotations

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_state import Transition
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Breaker, Key
from ultra_recovery.core.probe import Outcome, ProbeResult

STATE_NUMBER = {BreakerState.CLOSED: 0.0, BreakerState.OPEN: 1.0, BreakerState.HALF_OPEN: 2.0}


def of_transition(item: Breaker, transition: Transition) -> Notice:
    """The breaker moved, or was reset."""
    before, after, key = transition.before, transition.after, item.meta.key
    message = f"{before.state} → {after.state}: {after.message}"
    return Notice(
        Topic.BREAKER_TRANSITION,
        key,
        item.meta.uid,
        after.reason,
        message,
        warning=after.state is BreakerState.OPEN,
        labels={"namespace": key.namespace, "breaker": key.name, "to": after.state},
        values={"state": STATE_NUMBER[after.state]},
    )


def of_probe(key: Key, uid: str, spec: CircuitBreakerSpec, result: ProbeResult) -> Notice:
    """A probe has its outcome: for metrics and the debug log."""
    reason = Reason.PROBE_SUCCEEDED if result.outcome is Outcome.SUCCESS else result.reason
    labels = {
        "namespace": key.namespace,
        "breaker": key.name,
        "outcome": result.outcome,
        "target_kind": "http" if spec.target.http is not None else "workload",
    }
    duration = (result.finished_at - result.started_at).total_seconds()
    return Notice(
        Topic.BREAKER_PROBE, key, uid, reason, result.message, event=False, labels=labels, values={"duration": duration}
    )


def of_problem(item: Breaker, reason: Reason, message: str) -> Notice:
    """The breaker cannot be enforced."""
    labels = {"namespace": item.meta.key.namespace, "breaker": item.meta.key.name}
    return Notice(Topic.ENFORCEMENT, item.meta.key, item.meta.uid, reason, message, warning=True, labels=labels)


def of_enforcement(item: Breaker) -> Notice:
    """The breaker is enforced again."""
    labels = {"namespace": item.meta.key.namespace, "breaker": item.meta.key.name}
    return Notice(
        Topic.ENFORCEMENT, item.meta.key, item.meta.uid, Reason.ENFORCED, "the breaker is probed again", labels=labels
    )
