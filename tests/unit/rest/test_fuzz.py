"""Schemathesis, positive and negative, against the description that is committed."""

from __future__ import annotations

import asyncio
import json
import warnings
from pathlib import Path

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from tests.unit.rest.world import EXTERNAL, World, token

PROJECT = Path(__file__).resolve().parents[3]
DESCRIPTION = PROJECT / "docs/reference/openapi.json"
NO_ACTION = ["/api/recovery/cache/clear", "/api/recovery/database/reconnect"]
CONFIG = {
    "seed": 6,
    "headers": {"Authorization": f"Bearer {token('all')}"},
    "generation": {"mode": "all", "max-examples": 40},
    "phases": {"fuzzing": {"enabled": True}, "stateful": {"enabled": True}},
    "operations": [
        # A stream has no end.
        {"include-path": "/api/recovery/events", "enabled": False},
        # These two refuse whatever fits, too: there is no such action, or no policy with such a step.
        *(
            {"include-path": path, "checks": {"positive_data_acceptance": {"expected-statuses": ["404", "409", "422"]}}}
            for path in NO_ACTION
        ),
    ],
}


def reuses_a_key(recorder, case_id: str) -> bool:
    """The tool sends one key with many bodies, which no schema can forbid."""
    interaction = recorder.interactions.get(case_id)
    response = interaction.response if interaction is not None else None
    return response is not None and b"idempotency-key-reused" in response.content


@pytest.mark.timeout(300)
def test_whatever_comes_the_answer_is_as_described_and_no_error_of_ours(tmp_path: Path):
    world = World(tmp_path, failures=1_000_000)
    world.breaker("a")
    world.breaker("0", target=EXTERNAL, state="HalfOpen")
    world.policy("0")
    world.run("0", namespace="0")
    asyncio.run(world.sync())
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_dict(json.loads(DESCRIPTION.read_text()), config=config)
    schema.app = world.application
    failures: list[str] = []
    tested = 0
    with warnings.catch_warnings():
        # The tool's own: not ours to mend.
        warnings.simplefilter("ignore")
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError | events.FatalError):
                failures.append(repr(event))
            if not isinstance(event, events.ScenarioFinished):
                continue
            for case_id, checks in event.recorder.checks.items():
                tested += 1
                failures += [
                    f"{check.name}: {check.failure_info.failure}\n{check.failure_info.code_sample}"
                    for check in checks
                    if check.failure_info is not None and not reuses_a_key(event.recorder, case_id)
                ]
    assert tested > 500
    assert not failures, f"{len(failures)}\n" + "\n\n".join(failures[:25])
