"""The examples are right manifests: every field is known, and every value is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec
from ultra_recovery.apis.meta import API_VERSION

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
