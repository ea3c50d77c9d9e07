"""Small workloads, policies and breakers for tests: one pod each, and times of seconds."""

from __future__ import annotations

import json
import os
from typing import Any

from e2e.install import WEB_IMAGE
from e2e.kube import Kube

Manifest = dict[str, Any]
IMAGE = os.environ.get("ULTRA_WEB_IMAGE", WEB_IMAGE)
SICK = "/fail?seconds=600"
RESTART: Manifest = {"name": "restart", "action": {"restartPods": {}}, "timeout": "20s"}
SHORT: Manifest = {"healthyFor": "1s", "within": "4s"}
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_spec(container: Manifest, **fields: Any) -> Manifest:
    """A pod that Pod Security lets through."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "app",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "securityContext": _CONTAINER_SECURITY,
                **container,
            }
        ],
        **fields,
    }


def workload(name: str, replicas: int = 1, needs: str = "", **container: Any) -> list[Manifest]:
    """A Deployment of the example service, and its Service."""
    labels = {"app.kubernetes.io/name": name}
    app = {
        "env": [{"name": "NEEDS", "value": needs}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 1,
        },
        **container,
    }
    template = {"metadata": {"labels": labels}, "spec": pod_spec(app)}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
        },
    ]


def cron_job(name: str, script: str) -> Manifest:
    """A suspended CronJob whose Job runs a shell script."""
    pod = pod_spec({"command": ["sh", "-c", script]}, restartPolicy="Never")
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "suspend": True,
            "schedule": "0 0 1 1 *",
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        },
    }


def policy(name: str, target: str = "", limits: Manifest | None = None, **spec: Any) -> Manifest:
    """A policy that restarts unready pods of a Deployment of the same name; anything may be said otherwise."""
    return {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": "RecoveryPolicy",
        "metadata": {"name": name},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": target or name},
            "triggers": [{"name": "pods", "podUnhealthy": {"startupGrace": "30s"}, "for": "1s"}],
            "ladder": [RESTART],
            "verify": SHORT,
            "limits": {
                "interval": "5s",
                "timeout": "120s",
                "cooldown": "1s",
                "minHealthyPeriod": "5s",
                **(limits or {}),
            },
            **spec,
        },
    }


def breaker(name: str, path: str = "/healthz") -> Manifest:
    """A breaker of the Service of the same name; the first failure opens it."""
    return {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": "CircuitBreaker",
        "metadata": {"name": name},
        "spec": {
            "target": {"http": {"serviceRef": {"name": name, "port": 80}, "path": path}},
            "probe": {"interval": "1s", "timeout": "1s", "trialInterval": "1s"},
            "failureThreshold": 1,
            "recoveryTimeout": "2s",
        },
    }


def run_by_hand(name: str, policy_name: str, **spec: Any) -> Manifest:
    """A run that a person asks for."""
    return {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": "RecoveryRun",
        "metadata": {"name": name},
        "spec": {"policyName": policy_name, "cause": "Manual", **spec},
    }


def hook(name: str, service: str, path: str, **fields: Any) -> Manifest:
    """A step that calls an endpoint of a Service."""
    call = {"serviceRef": {"name": service, "port": 80}, "path": path, **fields}
    return {"name": name, "action": {"callHook": call}, "timeout": "5s"}


def job(name: str, cron_job_name: str, **fields: Any) -> Manifest:
    """A step that runs the Job of a CronJob."""
    return {"name": name, "action": {"runJob": {"cronJobName": cron_job_name, **fields}}, "timeout": "30s"}


def page(name: str = "page") -> Manifest:
    """A step that tells the pager."""
    webhook = {"serviceRef": {"name": "pager", "port": 80}, "path": "/notes"}
    return {"name": name, "action": {"notify": {"message": "see the runbook", "webhook": webhook}}, "timeout": "10s"}


def create(kube: Kube, *items: Manifest | list[Manifest]) -> None:
    """Apply manifests, and wait until the Deployments among them are rolled out."""
    flat = [inner for item in items for inner in (item if isinstance(item, list) else [item])]
    apply(kube, *flat)
    for item in flat:
        if item["kind"] == "Deployment" and item["spec"]["replicas"]:
            kube.run("rollout", "status", f"deployment/{item['metadata']['name']}", "--timeout=110s")


def apply(kube: Kube, *items: Manifest) -> None:
    """Apply manifests without waiting."""
    kube.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))
