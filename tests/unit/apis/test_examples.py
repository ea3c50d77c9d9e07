"""The examples are right manifests: every field is known, and every value is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "breakers"
EXAMPLES = sorted([*FOLDER.glob("*.yaml"), FOLDER.parent / "openai.yaml"])


def unknown(given: Any, read: Any, path: str) -> list[str]:
    """Fields that were given and not read."""
    if not isinstance(given, dict):
        return []
    return [
        name
        for field, value in given.items()
        for name in ([f"{path}.{field}"] if field not in read else unknown(value, read[field], f"{path}.{field}"))
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_right_manifest(path: Path):
    for document in yaml.safe_load_all(path.read_text()):
        assert (document["apiVersion"], document["kind"]) == (API_VERSION, "CircuitBreaker")
        spec = CircuitBreakerSpec.model_validate(document["spec"])
        assert unknown(document["spec"], spec.to_wire(), "spec") == []


def test_there_is_an_example_of_each_new_thing():
    assert [path.stem for path in EXAMPLES] == ["prometheus", "tcp", "window", "openai"]


MYSQL = FOLDER.parent / "databases-mysql"


def test_the_example_for_mysql_is_a_right_breaker_and_a_right_policy():
    [breaker] = yaml.safe_load_all((MYSQL / "circuitbreaker.yaml").read_text())
    [policy] = yaml.safe_load_all((MYSQL / "recoverypolicy.yaml").read_text())
    assert (breaker["kind"], policy["kind"]) == ("CircuitBreaker", "RecoveryPolicy")
    target = CircuitBreakerSpec.model_validate(breaker["spec"])
    spec = RecoveryPolicySpec.model_validate(policy["spec"])
    assert unknown(breaker["spec"], target.to_wire(), "spec") == []
    assert unknown(policy["spec"], spec.to_wire(), "spec") == []
    used = {step.action.breaker for step in spec.ladder if step.action.database}
    assert used == {breaker["metadata"]["name"]}
    taken = sum((step.timeout + spec.verify.within for step in spec.ladder), start=type(spec.limits.timeout)())
    assert taken <= spec.limits.timeout
