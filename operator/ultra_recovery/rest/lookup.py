"""From a service name to objects: in all namespaces that the caller may use, or in the one that the name says."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TypeVar

from ultra_recovery.core.objects import Breaker, Policy
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.context import Caller
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import service_name

_NEAR = 5
_MOST_CANDIDATES = 20
_ItemT = TypeVar("_ItemT", Breaker, Policy)


async def find_breaker(cache: Cache, caller: Caller, text: str) -> Breaker:
    """The one breaker of this name.

    Raises:
        Problem: there is none, or there are several, or the namespace is not the caller's.
    """
    namespace, name = await _split(caller, text)
    found = [item for item in _in(cache.breakers(), caller, namespace) if item.meta.key.name == name]
    if len(found) > 1:
        raise _ambiguous(name, [service_name(item) for item in found])
    if not found:
        raise _nothing("circuit breaker", text, _in(cache.breakers(), caller, namespace))
    return found[0]


async def find_policies(cache: Cache, caller: Caller, text: str) -> Sequence[Policy]:
    """The policies of one namespace that are about a service: by their name, their target, or a dependency.

    Raises:
        Problem: there is none, or there are some in several namespaces, or the namespace is not the caller's.
    """
    namespace, name = await _split(caller, text)
    found = [item for item in _in(cache.policies(), caller, namespace) if name in names_of(item)]
    places = sorted({item.meta.key.namespace for item in found})
    if len(places) > 1:
        raise _ambiguous(name, [f"{place}/{name}" for place in places])
    if not found:
        raise _nothing("policy", text, _in(cache.policies(), caller, namespace))
    return sorted(found, key=lambda item: item.meta.key.name)


def names_of(policy: Policy) -> set[str]:
    """The names that a policy is found by."""
    names = {policy.meta.key.name}
    if policy.spec is not None:
        names.add(policy.spec.target_ref.name)
        names.update(dependency.breaker for dependency in policy.spec.dependencies)
    return names


async def _split(caller: Caller, text: str) -> tuple[str, str]:
    """Namespace ("" for all that the caller may use) and name."""
    namespace, slash, name = text.rpartition("/")
    if slash:
        await caller.need(caller.scope, namespace)
    return namespace, name


def _in(items: Sequence[_ItemT], caller: Caller, namespace: str) -> list[_ItemT]:
    return [
        item
        for item in items
        if (item.meta.key.namespace == namespace if namespace else item.meta.key.namespace in caller.namespaces)
    ]


def _ambiguous(name: str, candidates: Sequence[str]) -> Problem:
    shown = sorted(candidates)[:_MOST_CANDIDATES]
    detail = f"{name} exists more than once: say which one, as namespace/name"
    return Problem(ProblemType.AMBIGUOUS, detail, candidates=shown)


def _nothing(what: str, text: str, items: Sequence[_ItemT]) -> Problem:
    by_name = {item.meta.key.name: service_name(item) for item in items}
    wanted = text.rpartition("/")[2]
    near = [by_name[found] for found in difflib.get_close_matches(wanted, sorted(by_name), _NEAR, 0.5)]
    hint = f"; near matches: {', '.join(near)}" if near else ""
    detail = f"no {what} is called {text} in the namespaces that you may use{hint}"
    return Problem(ProblemType.NOT_FOUND, detail, candidates=near)
