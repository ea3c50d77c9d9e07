"""DryRun: what would be done is recorded once, and nothing is touched."""

from __future__ import annotations

import time

from e2e.kube import Kube, status
from e2e.records import await_decision, await_end, await_run, decided, effects, make_sick, outcome, results


def test_a_dry_run_records_once_what_would_be_done_and_touches_nothing(kube: Kube) -> None:
    kube.run("patch", "rp", "web", "--type=merge", "-p", '{"spec":{"mode":"DryRun"}}')
    before = kube.pods("web")
    sick = make_sick(kube, "web")
    run = await_end(kube, await_run(kube, "web")["metadata"]["name"])
    assert outcome(run) == ("Succeeded", "DryRun")
    assert results(run) == [("restart", "DryRun"), ("repair", "DryRun"), ("page", "DryRun")]
    assert status(run)["steps"][0]["effects"][0]["object"] == sick
    assert {effect[1] for effect in effects(run)} == {"DryRun"}
    await_decision(kube, "web", "DryRunRecorded")
    time.sleep(3)
    assert len(kube.list("rr")) == 1
    assert (kube.pods("web"), kube.list("jobs"), kube.list("lease")) == (before, [], [])
    kube.run("patch", "rp", "web", "--type=merge", "-p", '{"spec":{"mode":"Auto"}}')
    second = await_end(kube, "web-1-2")
    assert (outcome(second)[0], status(second)["steps"][0]["effects"][0]["object"]) == ("Succeeded", sick)
    assert decided(kube, "web") != "DryRunRecorded"
