"""What a GitOps tool sees while services break and are recovered: no drift, and nothing that holds a pipeline back."""

from __future__ import annotations

import json
import re
import shlex

from e2e.install import EXAMPLES, PROJECT, read
from e2e.kube import Kube, status, wait_for
from e2e.records import await_run
from tests.kstatus import compute, judge

PAGE = PROJECT / "docs/how-to/gitops.md"
WAITS = re.findall(r"^kubectl wait (.+?) +#", PAGE.read_text(), re.MULTILINE)


def drift(kube: Kube) -> str:
    """What `kubectl diff` prints for all that was applied."""
    return "".join(kube.run("diff", "-f", "-", text=read(f"examples/web/{name}"), check=False) for name in EXAMPLES)


def read_statuses(kube: Kube) -> set[str]:
    """What kstatus makes of all breakers and policies, each of which must be fit to be read by it."""
    found = kube.list("cb,rp")
    for item in found:
        judge(item)
    return {compute(item) for item in found}


def test_there_is_no_drift_while_a_recovery_runs_and_nothing_is_called_in_progress(kube: Kube) -> None:
    kube.post(sorted(kube.pods("web"))[0], "/hang")
    run = await_run(kube, "web")["metadata"]["name"]
    looks = 0
    while not status(kube.get("rr", run)).get("finishedAt"):
        assert drift(kube) == ""
        assert read_statuses(kube) == {"Current"}
        looks += 1
    assert looks > 0
    assert drift(kube) == ""


def test_an_open_circuit_and_an_incident_do_not_hold_back_who_waits_for_ready(kube: Kube) -> None:
    kube.run("scale", "deployment/inventory", "--replicas=0")
    wait_for(lambda: status(kube.get("cb", "inventory"))["state"] == "Open", "the breaker opens")
    kube.run("wait", "cb/inventory", "rp/web", "--for=condition=Ready", "--timeout=1s")
    assert read_statuses(kube) == {"Current"}
    kube.run("scale", "deployment/inventory", "--replicas=1")


def test_what_cannot_be_enforced_fails_at_once_and_does_not_wait_for_ever(kube: Kube) -> None:
    target = [{"op": "replace", "path": "/spec/targetRef/name", "value": "nobody"}]
    kube.run("patch", "rp", "web", "--type=json", "-p", json.dumps(target))
    kube.run("wait", "rp/web", "--for=condition=Stalled", "--timeout=20s")
    assert compute(kube.get("rp", "web")) == "Failed"


def test_every_recipe_for_waiting_works_as_it_is_printed(kube: Kube) -> None:
    assert len(WAITS) == 6
    for recipe in WAITS:
        if "rr/" not in recipe:
            assert "met" in wait(kube, recipe)
    kube.post(sorted(kube.pods("web"))[0], "/hang")
    name = await_run(kube, "web")["metadata"]["name"]
    for recipe in WAITS:
        if "rr/" in recipe:
            assert "met" in wait(kube, recipe.replace("web-1-1", name))


def wait(kube: Kube, recipe: str) -> str:
    """Run `kubectl wait` with the words of the page, as a shell would."""
    return kube.run("wait", *shlex.split(recipe))
