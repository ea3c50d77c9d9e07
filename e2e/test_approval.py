"""A step that asks for a person's word: given, refused, and silence."""

from __future__ import annotations

import pytest

from e2e.install import read
from e2e.kube import Kube, status, wait_for
from e2e.records import await_end, await_reason, await_run, effects, make_sick, outcome
from e2e.small import RESTART, apply, create, policy, workload


def asked(kube: Kube, name: str) -> str:
    """The name of the policy's run that awaits an approval."""
    run = await_run(kube, name)["metadata"]["name"]
    found = await_reason(kube, run, "AwaitingApproval")
    assert status(found)["phase"] == "AwaitingApproval"
    return str(run)


@pytest.mark.failure(
    of="Limits",
    what="Nobody approves, or somebody rejects",
    see="`Cancelled` with `ApprovalExpired` or `ApprovalRejected`; nothing was done",
    bound="`approval.within`",
)
def test_an_approved_step_is_done_a_rejected_one_is_not_and_silence_is_no_approval(kube: Kube) -> None:
    kube.apply(read("examples/approval/recoverypolicy.yaml"))
    create(kube, workload("rejected"), workload("silent"))
    apply(
        kube,
        policy("rejected", ladder=[{**RESTART, "approval": {"within": "10m"}}], limits={"interval": "1h"}),
        policy("silent", ladder=[{**RESTART, "approval": {"within": "3s"}}], limits={"interval": "1h"}),
    )
    before = {name: kube.pods(name) for name in ("rejected", "silent")}
    sick = make_sick(kube, "web")
    make_sick(kube, "rejected")
    make_sick(kube, "silent")
    approved, rejected = asked(kube, "web"), asked(kube, "rejected")
    assert "recovery.ultra.dev/approve=restart" in kube.run("describe", "rr", approved)
    assert sick in kube.pods("web")
    kube.run("annotate", "rr", approved, "recovery.ultra.dev/approve=restart")
    kube.run("annotate", "rr", rejected, "recovery.ultra.dev/reject=restart")
    run = await_end(kube, approved)
    assert (outcome(run)[0], effects(run)) == ("Succeeded", [("Evict", "Evicted")])
    assert status(run)["steps"][0]["approvedAt"]
    assert outcome(await_end(kube, rejected)) == ("Cancelled", "ApprovalRejected")
    silent = await_end(kube, await_run(kube, "silent")["metadata"]["name"])
    assert outcome(silent) == ("Cancelled", "ApprovalExpired")
    assert {name: kube.pods(name) for name in ("rejected", "silent")} == before
    wait_for(lambda: not kube.list("lease"), "no Lease is left")
