"""What the operator leaves on objects that are not its own: nothing."""

from __future__ import annotations

from typing import Any

from e2e.demo.timeline import Show
from e2e.install import EXAMPLES, read
from e2e.kube import Kube


def untouched(kube: Kube, show: Show) -> list[str]:
    """Nothing of the user's is changed: the manifests still describe the cluster, and nothing carries our marks."""
    show.begin("Nothing else was touched")
    problems = []
    for name in EXAMPLES:
        difference = kube.run("diff", "-f", "-", text=read(f"examples/web/{name}"), check=False)
        if difference.strip():
            problems.append(f"kubectl diff of {name} is not empty:\n{difference}")
    marked = [
        f"{item['kind']} {item['metadata']['name']}"
        for item in kube.list("deployments,replicasets,pods,services,cronjobs")
        if is_marked(item["metadata"])
    ]
    if marked:
        problems.append(f"objects that are not ours carry marks: {', '.join(marked)}")
    show.say("kubectl diff of the examples is empty; no mark of ours on any Deployment, ReplicaSet, Pod or Service")
    return problems


def is_marked(metadata: dict[str, Any]) -> bool:
    """Whether anything of ours, or of our framework, stands on an object."""
    marks = str(metadata.get("annotations", {})) + str(metadata.get("finalizers", "")) + str(metadata.get("labels", ""))
    return "recovery.ultra.dev" in marks or "kopf" in marks
