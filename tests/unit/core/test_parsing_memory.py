"""Objects share what is equal in them; copies do not."""

from __future__ import annotations

from typing import Any

from ultra_recovery.core.objects import Breaker, Kind
from ultra_recovery.core.parsing import parse


def breaker(name: str, **probe: Any) -> Breaker:
    meta = {"namespace": "shop", "name": name, "resourceVersion": "1"}
    target = {"http": {"serviceRef": {"name": name, "port": 80}}}
    condition = {"type": "Ready", "status": "True", "reason": "Enforced", "lastTransitionTime": "2026-01-05T09:00:00Z"}
    spec = {"target": target, "probe": {"interval": "30s", **probe}}
    found = parse(Kind.BREAKER, {"metadata": meta, "spec": spec, "status": {"conditions": [condition]}})
    assert isinstance(found, Breaker)
    return found


def test_which_fields_are_set_is_kept_once_for_all_objects_that_set_the_same() -> None:
    one, two, other = breaker("a"), breaker("b"), breaker("c", timeout="2s")
    assert one.spec is not None
    assert two.spec is not None
    assert other.spec is not None
    assert one.spec.probe.model_fields_set is two.spec.probe.model_fields_set
    assert one.status.conditions[0].model_fields_set is two.status.conditions[0].model_fields_set
    assert other.spec.probe.model_fields_set == {"interval", "timeout"}


def test_a_copy_that_sets_another_field_leaves_the_others_as_they_are() -> None:
    one, two = breaker("a"), breaker("b")
    assert one.spec is not None
    assert two.spec is not None
    copied = one.spec.probe.model_copy(update={"timeout": two.spec.probe.timeout})
    assert copied.model_fields_set == {"interval", "timeout"}
    assert two.spec.probe.model_fields_set == {"interval"}
    assert one.spec.probe == two.spec.probe
