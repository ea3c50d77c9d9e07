"""The API keeps what an earlier version promised. The promise is the file beside this one; it only ever grows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rest.compatibility import breaks
from tests.unit.rest.test_fuzz import DESCRIPTION

PROMISED = json.loads((Path(__file__).parent / "promised.json").read_text())
RESET, TRIGGER = "/api/recovery/circuit-breaker/reset", "/api/recovery/trigger"


def test_the_api_keeps_its_promises():
    assert breaks(PROMISED, json.loads(DESCRIPTION.read_text())) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            lambda new: new["paths"].pop(RESET), "POST /api/recovery/circuit-breaker/reset is gone", id="path"
        ),
        pytest.param(
            lambda new: new["components"]["schemas"]["TriggerBody"]["properties"].pop("context"),
            "field context of the body is gone",
            id="field of a body",
        ),
        pytest.param(
            lambda new: new["components"]["schemas"]["ResetBody"]["required"].append("reason"),
            "field reason of the body is newly required",
            id="newly required",
        ),
        pytest.param(
            lambda new: new["components"]["schemas"]["RunView"]["properties"].pop("phase"),
            "field phase is gone",
            id="field of an item",
        ),
        pytest.param(
            lambda new: new["components"]["schemas"]["ReportBody"]["properties"]["outcome"]["enum"].remove("neutral"),
            "does not take neutral any more",
            id="value",
        ),
        pytest.param(
            lambda new: new["paths"][TRIGGER]["post"]["responses"].pop("202"), "answer 202 is gone", id="answer"
        ),
    ],
)
def test_a_broken_promise_is_found(change: Callable[[dict[str, Any]], object], words: str):
    new = copy.deepcopy(PROMISED)
    change(new)
    assert any(words in line for line in breaks(PROMISED, new))


def test_what_is_added_breaks_nothing():
    new = copy.deepcopy(PROMISED)
    new["paths"]["/more"] = {}
    new["components"]["schemas"]["ResetBody"]["properties"]["more"] = {"type": "string"}
    assert breaks(PROMISED, new) == []
