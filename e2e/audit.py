"""What our ServiceAccounts asked the API server for, as its audit log tells, and what they are granted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from e2e.install import OPERATOR_NAMESPACE
from e2e.kube import Kube

ACCOUNTS = ("ultra-recovery", "ultra-recovery-api")
"""Names of the ServiceAccounts of the operator and of the API, in whatever namespace a test installs them."""
_POD = "authentication.kubernetes.io/pod-name"
STARTED = datetime.now(UTC)
"""When this run of tests began: what older installations did is of no interest."""
Atom = tuple[str, str, str]
"""API group, resource with its subresource, verb."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the API server's authorizer refused."""

    user: str
    atom: Atom
    namespace: str


PROVOKED: set[Refusal] = set()
"""Refusals that tests want. A test that provokes one puts it in here, with a comment that says why."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the log tells.

    Attributes:
        used: what was asked for and allowed.
        refused: what was asked for and refused by the authorizer. An admission plugin may answer 403, too, such as in a
            namespace that is being deleted; that says nothing of rights.
        count: how many requests there were.
    """

    used: frozenset[Atom]
    refused: frozenset[Refusal]
    count: int


def read_usage(since: datetime = STARTED) -> Usage:
    """Read the log, and those beside it that were put away when they had grown too large.

    Whoever uninstalls takes the roles away before the last pod has ended. So what a pod is refused counts only if it
    is allowed something afterwards, or never was: our processes ask for something every few seconds.
    """
    used: set[Atom] = set()
    refused: list[tuple[str, str, Refusal]] = []
    allowed_at: dict[str, str] = {}
    count = 0
    for entry in _entries(Path(os.environ["ULTRA_AUDIT_LOG"]), since):
        reference = entry.get("objectRef")
        if reference is None:
            continue
        parts = [reference["resource"], *([reference["subresource"]] if reference.get("subresource") else [])]
        atom = reference.get("apiGroup", ""), "/".join(parts), entry["verb"]
        count += 1
        user, at = entry["user"], entry["requestReceivedTimestamp"]
        pod = "/".join([user["username"], *user.get("extra", {}).get(_POD, [])])
        if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid":
            refused.append((pod, at, Refusal(user["username"], atom, reference.get("namespace", ""))))
        else:
            used.add(atom)
            allowed_at[pod] = max(at, allowed_at.get(pod, ""))
    counted = {refusal for pod, at, refusal in refused if pod not in allowed_at or at < allowed_at[pod]}
    return Usage(frozenset(used), frozenset(counted), count)


def refusals() -> list[str]:
    """Every request of ours that was refused for lack of a right, and that no test wanted to be."""
    wanted = read_usage().refused - PROVOKED
    return sorted(f"{item.user}: {item.atom} in {item.namespace or 'the cluster'}" for item in wanted)


def read_granted() -> frozenset[Atom]:
    """What the roles in the cluster give to our accounts in the operator's own namespace."""
    kube = Kube(OPERATOR_NAMESPACE)
    found: set[Atom] = set()
    for binding in (*kube.list("clusterrolebindings"), *kube.list("rolebindings", "--all-namespaces")):
        if any(_is_ours(subject) for subject in binding.get("subjects") or ()):
            place = Kube(binding["metadata"].get("namespace", OPERATOR_NAMESPACE))
            role = place.get(binding["roleRef"]["kind"], binding["roleRef"]["name"])
            found.update(
                (group, resource, verb)
                for rule in role["rules"]
                for group in rule.get("apiGroups", ())
                for resource in rule.get("resources", ())
                for verb in rule["verbs"]
            )
    return frozenset(found)


def _is_ours(subject: dict[str, str]) -> bool:
    named = subject["kind"], subject.get("namespace"), subject["name"]
    return named in {("ServiceAccount", OPERATOR_NAMESPACE, name) for name in ACCOUNTS}


def _entries(log: Path, since: datetime) -> Iterator[dict]:
    """The entries of our accounts, of the log and of those with a time in their name beside it."""
    ours = tuple(f":{name}" for name in ACCOUNTS)
    for path in sorted(log.parent.glob(f"{log.stem}*{log.suffix}")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                # The log holds all accounts of the cluster, and may be hundreds of megabytes long.
                if ":ultra-recovery" not in line:
                    continue
                entry = json.loads(line)
                user = entry["user"]["username"]
                if not user.startswith("system:serviceaccount:") or not user.endswith(ours):
                    continue
                if datetime.fromisoformat(entry["requestReceivedTimestamp"]) >= since:
                    yield entry
