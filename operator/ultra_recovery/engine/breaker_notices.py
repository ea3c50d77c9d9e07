"""What is told of breakers."""

from __future__ import annotations

from collections.abc import Iterator

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.meta import RESET_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_state import Event, Transition
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Breaker, Key
from ultra_recovery.core.pool_figures import gauges_of
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.resets import MAX_VALUE


def of_transition(item: Breaker, transition: Transition) -> Notice:
    """The breaker moved, or was reset."""
    before, after, key = transition.before, transition.after, item.meta.key
    message = f"{before.state} → {after.state}: {after.message}{_asked(item) if after.reason is Reason.RESET else ''}"
    return Notice(
        Topic.BREAKER_TRANSITION,
        key,
        item.meta.uid,
        after.reason,
        message,
        warning=after.state is BreakerState.OPEN,
        labels={"namespace": key.namespace, "breaker": key.name, "to": after.state},
    )


def _asked(item: Breaker) -> str:
    """The annotation's value: one of the recovery API names the request."""
    value = item.meta.annotations.get(RESET_ANNOTATION, "")[:MAX_VALUE]
    return f" ({value})" if value else ""


def of_note(item: Breaker, reason: Reason, message: str, *, warning: bool = False) -> Notice:
    """Something that people should know, but no transition."""
    key = item.meta.key
    labels = {"namespace": key.namespace, "breaker": key.name}
    return Notice(Topic.BREAKER_NOTE, key, item.meta.uid, reason, message, warning=warning, labels=labels)


def of_step(item: Breaker, transition: Transition) -> Iterator[Notice]:
    """All that is told of one event: the transition, a refused reset, and what the breaker would have done."""
    before, after = transition.before, transition.after
    if transition.moved:
        yield of_transition(item, transition)
    elif transition.event is Event.RESET and after.override is not None:
        message = f"not reset: {after.override.sentence}"
        yield of_note(item, Reason.RESET_REFUSED, message, warning=True)
    elif transition.event is Event.OVERRIDE and after.override is not None:
        yield of_note(item, after.reason, f"changed: {after.override.sentence}")
    elif before.shadow is not None and after.shadow is not None and after.shadow.epoch != before.shadow.epoch:
        would = after.shadow
        message = f"would be: {before.shadow.state} → {would.state}: {would.reason}: {would.message}"
        yield of_note(item, Reason.WOULD_MOVE, message)


def of_late_override(item: Breaker) -> Notice:
    """An override was over before it was seen."""
    message = "spec.override is over already, so nothing was changed: remove it, or set `until` to a later time"
    return of_note(item, Reason.OVERRIDE_EXPIRED, message, warning=True)


def of_probe(key: Key, uid: str, spec: CircuitBreakerSpec, result: ProbeResult) -> Notice:
    """A probe has its outcome: for metrics and the debug log."""
    reason = Reason.PROBE_SUCCEEDED if result.outcome is Outcome.SUCCESS else result.reason
    labels = {
        "namespace": key.namespace,
        "breaker": key.name,
        "outcome": result.outcome,
        "target_kind": spec.target.kind,
    }
    duration = (result.finished_at - result.started_at).total_seconds()
    values = {"duration": duration, **gauges_of(result.figures)}
    return Notice(Topic.BREAKER_PROBE, key, uid, reason, result.message, event=False, labels=labels, values=values)


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
