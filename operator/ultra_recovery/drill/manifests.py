"""What a drill builds: a Deployment of our own image, and the policy that guards it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ultra_recovery.apis.meta import API_VERSION

TARGET_PORT = 8080
REPLICAS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """One drill.

    Attributes:
        name: of the Deployment and of the policy.
        image: what the pods run.
        pull_policy: when nodes pull it.
        pull_secrets: names of the Secrets for pulling it.
        account: ServiceAccount that answers for the policy, where creators are checked; "" for none.
        within: seconds from the break to the recovery.
        owner: ownerReference of whatever is built, so that it goes with the drill's own pod at the latest.
    """

    name: str
    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    account: str = ""
    within: float = 60.0
    owner: Mapping[str, Any] | None = None


def deployment(plan: Plan) -> dict[str, Any]:
    """Two pods that are Ready until one is broken. Pod Security restricted lets them in."""
    container = {
        "name": "target",
        "image": plan.image,
        "imagePullPolicy": plan.pull_policy,
        "args": ["drill-target", f"--port={TARGET_PORT}"],
        "ports": [{"name": "http", "containerPort": TARGET_PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "http"},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 1,
        },
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "imagePullSecrets": [{"name": name} for name in plan.pull_secrets],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    labels = _labels(plan)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(plan),
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def policy(plan: Plan) -> dict[str, Any]:
    """Evict what is not Ready. Short times: the drill shall not outlast somebody's patience."""
    account = {"serviceAccountName": plan.account} if plan.account else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "RecoveryPolicy",
        "metadata": _metadata(plan),
        "spec": {
            **account,
            "targetRef": {"kind": "Deployment", "name": plan.name},
            "triggers": [
                {"name": "pods", "podUnhealthy": {"reasons": ["NotReady"], "startupGrace": "30s"}, "for": "1s"}
            ],
            "ladder": [{"name": "restart", "action": {"restartPods": {"pods": "Unhealthy"}}, "timeout": "40s"}],
            "verify": {"healthyFor": "2s", "within": "15s"},
            "limits": {"timeout": "120s", "interval": "5s", "cooldown": "1s", "minHealthyPeriod": "5s"},
        },
    }


def _labels(plan: Plan) -> dict[str, str]:
    return {"app": plan.name, "app.kubernetes.io/part-of": "ultra-recovery", "app.kubernetes.io/component": "drill"}


def _metadata(plan: Plan) -> dict[str, Any]:
    owners = {"ownerReferences": [dict(plan.owner)]} if plan.owner else {}
    return {"name": plan.name, "labels": _labels(plan), **owners}
