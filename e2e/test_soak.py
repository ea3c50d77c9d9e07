"""The soak in small: one fault, so that `make drill` does not find after an hour that it cannot judge."""

from __future__ import annotations

import uuid

from benchmarks.soak import NAMESPACES, judge, populate, run
from e2e.install import make_namespace
from e2e.kube import Kube
from e2e.records import outcome

OBJECTS = 60
MINUTES = 1.0


def test_a_minute_of_the_soak_is_survived_and_judged(operator: Kube) -> None:
    kubes = [make_namespace(f"e2e-{uuid.uuid4().hex[:8]}") for _ in range(NAMESPACES)]
    try:
        populate(kubes, OBJECTS)
        soak = run(operator, kubes, MINUTES)
        verdicts = {name: good for name, _, _, good in judge(operator, kubes, soak)}
        assert soak.problems == []
        assert verdicts["recovered by a run of its own"] is True
        assert False not in verdicts.values()
        assert [outcome(item) for kube in kubes for item in kube.list("rr")] == [("Succeeded", "Verified")]
    finally:
        for kube in kubes:
            kube.run("delete", "namespace", kube.namespace, "--wait=false", "--ignore-not-found")
