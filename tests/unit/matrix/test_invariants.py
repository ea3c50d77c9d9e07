"""The invariants catch an operator that does wrong: each gets a forged record of exactly one misdeed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.matrix.invariants import INVARIANTS, Evidence, violations
from tests.matrix.ledger import Entry


def entry(method: str, plural: str, name: str, sub: str = "", **more: Any) -> Entry:
    return Entry(1, more.pop("at", 1.0), more.pop("life", 1), method, plural, name, sub, more.pop("body", {}), **more)


def eviction(uid: str, **more: Any) -> Entry:
    body = {"deleteOptions": {"preconditions": {"uid": uid}}} if uid else {}
    return entry("POST", "pods", "web-1", "eviction", body=body, status=201, told=201, **more)


def intent(*uids: str, run: str = "web-1-1") -> Entry:
    return written("recoveryruns", run, phase="Running", steps=[{"effects": [{"uid": uid} for uid in uids]}])


def written(plural: str, name: str, **status: Any) -> Entry:
    return entry("PATCH", plural, name, "status", status=200, told=200, answer={"status": status})


def state(word: str, epoch: int) -> Entry:
    return written("circuitbreakers", "db", state=word, epoch=epoch)


def run(name: str = "web-1-1", *, effects: int = 1, **status: Any) -> dict[str, Any]:
    full = {
        "phase": "Succeeded",
        "startedAt": "2026-01-01T10:00:00Z",
        "finishedAt": "2026-01-01T10:00:30Z",
        "plan": {"limits": {"timeout": "1m0s"}},
        "steps": [{"effectCount": effects}],
        **status,
    }
    return {"metadata": {"name": name}, "status": full}


def policy(observed: int) -> dict[str, Any]:
    return {"metadata": {"name": "web", "generation": 2}, "status": {"observedGeneration": observed}}


GOOD = Evidence(
    entries=[
        intent("a"),
        eviction("a", at=2.0),
        state("Closed", 0),
        state("Open", 1),
        state("HalfOpen", 2),
        state("Closed", 3),
        written("recoveryruns", "web-1-1", phase="Succeeded"),
        written("recoveryruns", "web-2-1", phase="Running", steps=[{"effects": [{"id": "job-1"}, {"id": "run/step"}]}]),
        entry("POST", "jobs", "job-1", status=201),
    ],
    end={"jobs": {"finished": 1}, "run web-1-1": {"phase": "Succeeded"}},
    reference={"jobs": {"finished": 1}, "run web-1-1": {"phase": "Succeeded"}},
    hung=frozenset("a"),
    objects={"recoveryruns": [run()], "recoverypolicies": [policy(2)], "circuitbreakers": []},
    leases=[{"metadata": {"name": "ultra-recovery-leader"}}],
    hooks={("/hook", "run/step"): 1, ("/notify", "run/page"): 2},
    arrivals=[(2.0, "/hook", "run/step"), (0.1, "/notify", "run/page")],
    log='{"level": "WARNING", "message": "cannot go on now"}\n',
    acted_at=[0.5],
)


def add(*entries: Entry) -> Evidence:
    return replace(GOOD, entries=[*GOOD.entries, *entries])


def with_objects(**objects: Any) -> Evidence:
    return replace(GOOD, objects={**GOOD.objects, **objects})


FORGED = [
    pytest.param(add(eviction("a")), "pod a was evicted 2 times", id="double-eviction"),
    pytest.param(
        add(intent("b", run="web-1-2"), eviction("b")), "pod b was evicted although it was healthy", id="healthy-pod"
    ),
    pytest.param(add(intent("", run="web-1-2"), eviction("")), "1 evictions without a UID", id="eviction-without-uid"),
    pytest.param(replace(add(eviction("c")), hung=frozenset("ac")), "before its intent was stored", id="no-intent"),
    pytest.param(add(entry("POST", "jobs", "job-1", status=201)), "created 2 times", id="double-job"),
    pytest.param(add(entry("POST", "jobs", "job-2", status=201)), "before its intent was stored", id="job-no-intent"),
    pytest.param(
        replace(GOOD, arrivals=[(0.5, "/hook", "run/step")]), "before its intent was stored", id="hook-before-intent"
    ),
    pytest.param(replace(GOOD, hooks={("/hook", "k"): 2}), "was called 2 times", id="double-hook"),
    pytest.param(
        with_objects(recoveryruns=[run(), run("web-1-2")]), "2 runs had an effect, 1 may", id="budget-overdrawn"
    ),
    pytest.param(add(state("HalfOpen", 4)), "Closed (epoch 3) became HalfOpen (epoch 4)", id="illegal-move"),
    pytest.param(add(state("Open", 3)), "Closed (epoch 3) became Open (epoch 3)", id="move-without-epoch"),
    pytest.param(add(state("Open", 2)), "epoch went from 3 back to 2", id="epoch-backwards"),
    pytest.param(with_objects(recoveryruns=[run(phase="Running")]), "is Running in the end", id="run-not-ended"),
    pytest.param(
        with_objects(recoveryruns=[run(finishedAt="2026-01-01T10:02:00Z")]), "took 120 s", id="run-past-its-deadline"
    ),
    pytest.param(
        add(written("recoveryruns", "web-1-1", phase="Running")),
        "went from Succeeded to Running",
        id="ended-run-resumed",
    ),
    pytest.param(
        replace(GOOD, leases=[{"metadata": {"name": "ultra-recovery-abc"}}]), "is left behind", id="orphan-lease"
    ),
    pytest.param(
        replace(GOOD, end={"jobs": {"unfinished": 1}}, reference=None), "1 Jobs are left unfinished", id="orphan-job"
    ),
    pytest.param(with_objects(recoverypolicies=[policy(1)]), "observedGeneration 1, generation 2", id="old-status"),
    pytest.param(
        replace(GOOD, log=json.dumps({"message": "unexpected error", "exception": "Traceback …"})),
        "unexpected error",
        id="logged-exception",
    ),
    pytest.param(replace(GOOD, log="Traceback (most recent call last):\nboom"), "boom", id="bare-traceback"),
    pytest.param(
        replace(GOOD, end={**GOOD.end, "run web-1-1": {"phase": "Failed"}}), "'Failed' instead of", id="other-end"
    ),
    pytest.param(
        replace(add(entry("PATCH", "recoverypolicies", "web", "status", at=70.0)), acted_at=[3.0]),
        "after 67 s",
        id="noticed-late",
    ),
    pytest.param(
        add(
            entry("PATCH", "recoverypolicies", "web", "status", told=429, retry_after=2.0, at=5.0),
            entry("PATCH", "recoverypolicies", "web", "status", told=200, at=5.5),
        ),
        "0.5 s after a 429 that asked for 2 s",
        id="impatient",
    ),
]


def test_a_good_record_has_no_violation():
    assert violations(GOOD) == []


@pytest.mark.parametrize(("evidence", "words"), FORGED)
def test_a_forged_record_of_a_misdeed_is_caught(evidence: Evidence, words: str):
    found = violations(evidence)
    assert len(found) == 1
    assert words in found[0]


def test_every_invariant_has_caught_something():
    seen = {text.split(":")[0] for parameter in FORGED for text in violations(parameter.values[0])}
    assert seen == {invariant.__name__.replace("_", " ") for invariant in INVARIANTS}


def test_a_new_life_need_not_know_what_its_predecessor_was_asked():
    patch = ("PATCH", "recoverypolicies", "web", "status")
    later = add(entry(*patch, told=429, retry_after=2.0, at=5.0), entry(*patch, told=200, at=5.5, life=2))
    assert violations(later) == []


def test_several_moves_may_be_told_in_one_write():
    assert violations(add(state("HalfOpen", 5))) == []
