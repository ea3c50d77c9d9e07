"""What the operator leaves on objects that are not its own: nothing."""

from __future__ import annotations

from e2e.demo.footprint import is_marked
from e2e.install import EXAMPLES, read
from e2e.kube import Kube
from e2e.test_restart_pods import ended_run


def test_after_a_recovery_the_manifests_still_describe_the_cluster(kube: Kube) -> None:
    kube.post(sorted(kube.pods("web"))[0], "/hang")
    ended_run(kube)
    for name in EXAMPLES:
        assert kube.run("diff", "-f", "-", text=read(f"examples/web/{name}"), check=False) == ""
    items = kube.list("deployments,replicasets,pods,services,endpointslices")
    assert [item["metadata"]["name"] for item in items if is_marked(item["metadata"])] == []


def test_kubectl_shows_and_explains_every_kind(kube: Kube) -> None:
    kube.post(sorted(kube.pods("web"))[0], "/hang")
    ended_run(kube)
    shown = kube.run("get", "cb,rp,rr")
    assert all(len(line) <= 140 for line in shown.splitlines()), shown
    assert "Succeeded" in shown
    for kind in ("cb", "rp", "rr"):
        assert "DESCRIPTION" in kube.run("explain", f"{kind}.spec", "--recursive")
        assert "Conditions" in kube.run("describe", kind) or kind == "rr"
