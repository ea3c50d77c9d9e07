"""Whatever an Authorization header holds, somebody is known, refused, or told to wait; nothing else ever happens."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rest.world import AUDIENCE, entry, token
from ultra_recovery.adapters.memory import FakeClock, MemoryReviewer
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.auth.kubernetes import KubernetesTokens
from ultra_recovery.rest.auth.limiter import FailureLimiter
from ultra_recovery.rest.auth.token_file import TokenFile
from ultra_recovery.rest.idempotency import mark_of
from ultra_recovery.rest.limits import MAX_DEPTH, _check_json
from ultra_recovery.rest.problems import Problem, ProblemType

GOOD = f"Bearer {token('one')}".encode()
VALUES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: b"Bearer " + text.encode()),
    st.binary(max_size=100).map(lambda data: b"Bearer " + data),
    st.from_regex(rb"[Bb]earer +[A-Za-z0-9_.-]{0,60}", fullmatch=True),
    st.just(GOOD),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def attempt(call: Callable[[], Any]) -> tuple[Any, Problem | None]:
    """What a call gives, or how it is refused."""
    try:
        return call(), None
    except Problem as problem:
        return None, problem


def test_any_authorization_header_is_somebody_or_refused(tmp_path: Path):
    clock = FakeClock()
    (tmp_path / "tokens.json").write_text(json.dumps({"tokens": [entry("one")]}))
    file = TokenFile(tmp_path / "tokens.json", clock)
    file.load()

    @given(st.lists(VALUES, max_size=3))
    def check(values: list[bytes]) -> None:
        door = Door([file, KubernetesTokens(MemoryReviewer(), AUDIENCE, clock)], FailureLimiter(clock))
        found, problem = attempt(lambda: asyncio.run(door.identify(values, "192.0.2.7", fresh=True)))
        if problem is not None:
            assert problem.kind is ProblemType.UNAUTHENTICATED
            assert len(values) != 1 or values[0].split()[-1:] != GOOD.split()[-1:]
        else:
            presented = values[0].split(None, 1)[1].strip()
            assert hashlib.sha256(presented).hexdigest() == found.entry.sha256

    check()


@given(st.binary(max_size=400) | JSON.map(lambda item: json.dumps(item).encode()))
def test_any_body_is_an_object_or_refused(body: bytes):
    _, problem = attempt(lambda: _check_json(body))
    if problem is None:
        assert isinstance(json.loads(body), dict | None)
    else:
        assert problem.kind in (ProblemType.MALFORMED, ProblemType.INVALID_REQUEST)


@given(st.integers(min_value=1, max_value=60))
def test_bodies_up_to_twenty_levels_are_read_and_deeper_ones_are_not(depth: int):
    _, problem = attempt(lambda: _check_json(b'{"a":' * depth + b"1" + b"}" * depth))
    assert (problem is not None and problem.kind is ProblemType.MALFORMED) is (depth > MAX_DEPTH)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_marks_of_different_callers_or_keys_differ(caller: str, other: str, key: str):
    one, two = mark_of(caller, key, "trigger", {}), mark_of(other, key, "trigger", {})
    assert (one.key == two.key) is (caller == other)
