"""Why a policy cannot be enforced until somebody mends it: what its spec names is not there, or does not fit."""

from __future__ import annotations

from collections.abc import Iterator

from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.objects import Breaker, Key, Kind, Policy
from ultra_recovery.core.refusal import Problem
from ultra_recovery.core.target import TargetFacts
from ultra_recovery.core.windows import parse_window
from ultra_recovery.engine.table import Table


def find_problem(table: Table, policy: Policy, spec: RecoveryPolicySpec, target: TargetFacts) -> Problem | None:
    """The first problem of a policy, None when it can be enforced."""
    namespace = policy.meta.key.namespace
    return next(_problems(table, namespace, spec, target), None)


def _problems(table: Table, namespace: str, spec: RecoveryPolicySpec, target: TargetFacts) -> Iterator[Problem]:
    yield from _target(namespace, spec, target)
    yield from _windows(spec)
    for trigger in spec.triggers:
        where = f"trigger {trigger.name}"
        yield from _breaker(table, namespace, where, trigger.breaker, server=trigger.database_pool is not None)
    for step in spec.ladder:
        where = f"step {step.name}"
        yield from _breaker(table, namespace, where, step.action.breaker, server=step.action.database is not None)
    yield from _dependencies(table, namespace, spec, target)


def _target(namespace: str, spec: RecoveryPolicySpec, target: TargetFacts) -> Iterator[Problem]:
    reference, workload = spec.target_ref, target.workload
    if workload is None:
        message = f"{reference.kind} {reference.name} does not exist in namespace {namespace}"
        yield Problem(Reason.TARGET_NOT_FOUND, message)
    elif workload.has_expressions or not workload.selector:
        message = f"{reference.kind} {reference.name} must select its pods by matchLabels alone"
        yield Problem(Reason.TARGET_INVALID, message)


def _windows(spec: RecoveryPolicySpec) -> Iterator[Problem]:
    for window in spec.maintenance_windows:
        try:
            parse_window(window)
        except SpecError as error:
            yield Problem(error.reason, str(error))


def _dependencies(table: Table, namespace: str, spec: RecoveryPolicySpec, target: TargetFacts) -> Iterator[Problem]:
    for dependency in spec.dependencies:
        breaker = table.get(Key(Kind.BREAKER, namespace, dependency.breaker))
        if not isinstance(breaker, Breaker):
            message = f"dependency: CircuitBreaker {dependency.breaker} does not exist in namespace {namespace}"
            yield Problem(Reason.BREAKER_NOT_FOUND, message)
        elif breaker.spec is not None and _is_target_itself(table, namespace, breaker.spec, target):
            message = (
                f"dependency {dependency.breaker} probes the target itself: while it is down it would forbid its own "
                "recovery; use it in a trigger instead"
            )
            yield Problem(Reason.DEPENDENCY_INVALID, message)


def _breaker(table: Table, namespace: str, where: str, name: str | None, *, server: bool) -> Iterator[Problem]:
    """A breaker that something names must exist, and watch a database server where that is needed."""
    if name is None:
        return
    breaker = table.get(Key(Kind.BREAKER, namespace, name))
    if not isinstance(breaker, Breaker):
        message = f"{where}: CircuitBreaker {name} does not exist in namespace {namespace}"
        yield Problem(Reason.BREAKER_NOT_FOUND, message)
    elif server and breaker.spec is not None and breaker.spec.target.server is None:
        message = f"{where}: CircuitBreaker {name} watches no database: it needs a target postgres or mysql"
        yield Problem(Reason.TARGET_INVALID, message)


def _is_target_itself(table: Table, namespace: str, spec: CircuitBreakerSpec, target: TargetFacts) -> bool:
    workload = target.workload
    if workload is None:
        return False
    probed = spec.target.workload
    if probed is not None:
        return (probed.kind, probed.name) == (workload.meta.key.kind, workload.meta.key.name)
    service = next((part.service_ref for part in (spec.target.http, spec.target.tcp, spec.target.server) if part), None)
    if service is None:
        return False
    pods = {pod.meta.key.name for pod in target.pods}
    slices = table.slices(namespace, service.name)
    return any(end.pod in pods for item in slices for end in item.endpoints if end.pod)
