"""The audit log as the end-to-end tests read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.audit import Refusal, read_usage

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
OPERATOR = "system:serviceaccount:ops:ultra-recovery"
LIST_PODS, EVICT = ("", "pods", "list"), ("", "pods/eviction", "create")


def entry(second: int, atom: tuple[str, str, str], *, user: str = OPERATOR, pod: str = "a", no: bool = False) -> str:
    group, resource, verb = atom
    name, _, subresource = resource.partition("/")
    reference: dict[str, Any] = {"resource": name, "apiGroup": group, "namespace": "shop", "subresource": subresource}
    return json.dumps(
        {
            "verb": verb,
            "user": {"username": user, "extra": {"authentication.kubernetes.io/pod-name": [pod]}},
            "objectRef": {key: value for key, value in reference.items() if value},
            "requestReceivedTimestamp": f"2026-01-05T09:00:{second:02}.000000Z",
            "annotations": {"authorization.k8s.io/decision": "forbid" if no else "allow"},
        }
    )


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "audit.log"
    monkeypatch.setenv("ULTRA_AUDIT_LOG", str(path))
    return path


def test_what_was_put_away_is_read_too_and_what_others_did_is_not(log: Path):
    log.with_name("audit-2026-01-05T09-00-10.000.log").write_text(entry(1, LIST_PODS) + "\n")
    other = entry(2, ("", "secrets", "get"), user="system:serviceaccount:ops:somebody:ultra-recovery-drill")
    log.write_text(entry(3, EVICT) + "\n" + other + "\n")
    usage = read_usage(BEGIN)
    assert (usage.used, usage.refused, usage.count) == ({LIST_PODS, EVICT}, frozenset(), 2)


def test_what_happened_before_these_tests_is_of_no_interest(log: Path):
    log.write_text(entry(1, LIST_PODS) + "\n" + entry(9, EVICT) + "\n")
    assert read_usage(BEGIN.replace(second=5)).used == {EVICT}


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        pytest.param([entry(1, EVICT, no=True), entry(2, LIST_PODS)], True, id="it went on afterwards"),
        pytest.param([entry(1, LIST_PODS), entry(2, EVICT, no=True)], False, id="its roles were taken away"),
        pytest.param([entry(1, EVICT, no=True)], True, id="it was never allowed anything"),
        pytest.param(
            [entry(1, LIST_PODS), entry(2, EVICT, no=True), entry(3, LIST_PODS, pod="b")],
            False,
            id="another pod went on",
        ),
    ],
)
def test_a_refusal_counts_unless_it_is_the_end_of_a_pod(log: Path, lines: list[str], counts: bool):
    log.write_text("".join(f"{line}\n" for line in lines))
    refused = read_usage(BEGIN).refused
    assert refused == ({Refusal(OPERATOR, EVICT, "shop")} if counts else frozenset())
