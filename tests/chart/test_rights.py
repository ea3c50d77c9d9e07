"""Manifests grant what the list of rights says, and nothing that no ServiceAccount of ours should ever have."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ultra_recovery.rights_page import AUDIENCE, CHECK_CREATOR, Process, atoms
from ultra_recovery.settings import Scope

PROJECT = Path(__file__).resolve().parents[2]
PLAIN = sorted((PROJECT / "deploy").rglob("*.yaml"))
CHART = PROJECT / "helm/ultra-recovery"
HELM = shutil.which("helm")
Manifest = dict[str, Any]
Atom = tuple[str, str, str]

VARIANTS: dict[str, tuple[str, ...]] = {
    f"{scope}, {mode}, {'creators checked' if check else 'unchecked'}": (
        f"scope={scope}",
        f"api.mode={mode}",
        f"authorization.checkCreator={str(check).lower()}",
    )
    for scope in ("cluster", "namespace")
    for mode in ("sidecar", "separate")
    for check in (False, True)
}


def documents(text: str) -> list[Manifest]:
    return [item for item in yaml.safe_load_all(text) if item]


def roles(items: list[Manifest]) -> Iterator[tuple[Manifest, str]]:
    """The roles that are bound to ServiceAccounts, with whose they are."""
    by_name = {(item["kind"], item["metadata"]["name"]): item for item in items if item["kind"].endswith("Role")}
    for item in items:
        if item["kind"].endswith("RoleBinding"):
            role = by_name[item["roleRef"]["kind"], item["roleRef"]["name"]]
            for subject in item["subjects"]:
                assert subject["kind"] == "ServiceAccount"
                yield role, subject["name"]


def granted(role: Manifest) -> Iterator[Atom]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from ((group, resource, verb) for verb in rule["verbs"])


def harm(atom: Atom) -> bool:
    """What no ServiceAccount of ours may ever have."""
    _, resource, verb = atom
    return (
        "*" in "".join(atom)
        or resource.startswith("secrets")
        or resource in ("pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy")
        or resource in ("serviceaccounts/token", "roles", "rolebindings", "clusterroles", "clusterrolebindings")
        or verb in ("escalate", "bind", "impersonate", "deletecollection")
        or (resource in ("pods", "deployments", "statefulsets") and verb not in ("get", "list", "watch"))
    )


def render(values: tuple[str, ...]) -> list[Manifest]:
    # Hooks are not part of the release: the drill of `helm test` has an account of its own. And without a cluster helm
    # takes the version of its own libraries for that of the cluster.
    assert HELM, "helm is not on the PATH: run `python3 -m e2e.cluster tools helm`"
    words = [HELM, "template", "ultra-recovery", str(CHART), "--no-hooks", "-n", "ops", "--kube-version", "1.34.0"]
    settings = [word for value in values for word in ("--set", value)]
    done = subprocess.run([*words, *settings], capture_output=True, text=True, timeout=60, check=True)
    return documents(done.stdout)


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: str(path.relative_to(PROJECT)))
def test_plain_manifests_grant_nothing_that_is_not_on_the_list(path: Path):
    items = documents(path.read_text())
    for role, _ in roles(items):
        found = frozenset(granted(role))
        assert not [atom for atom in found if harm(atom)]
        scope: Scope = "cluster" if role["kind"] == "ClusterRole" else "namespace"
        processes: tuple[Process, ...] = ("operator", "api")
        assert found <= atoms(processes, scope)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_chart_grants_what_is_on_the_list_and_nothing_else(variant: str):
    values = VARIANTS[variant]
    scope: Scope = "cluster" if "scope=cluster" in values else "namespace"
    switched = [AUDIENCE, *([CHECK_CREATOR] if values[2].endswith("true") else [])]
    accounts: dict[str, set[Atom]] = {}
    items = render(values)
    for role, account in roles(items):
        found = set(granted(role))
        assert not [atom for atom in found if harm(atom)]
        accounts.setdefault(account, set()).update(found)
    if "api.mode=separate" in values:
        wanted = {
            "ultra-recovery": atoms(["operator"], scope, switched),
            "ultra-recovery-api": atoms(["api"], scope, switched),
        }
    else:
        wanted = {"ultra-recovery": atoms(["operator", "api"], scope, switched)}
    assert {name: found for name, found in accounts.items() if name in wanted} == wanted
    if scope == "namespace":
        assert not [item["metadata"]["name"] for item in items if item["kind"].startswith("ClusterRole")]


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_rule_of_the_plain_manifests_says_what_it_is_for(path: Path):
    """A comment stands above each rule, or above the first of several for one feature."""
    blocks = re.split(r"^---$", path.read_text(), flags=re.MULTILINE)
    for block in blocks:
        if re.search(r"^kind: (Cluster)?Role$", block, flags=re.MULTILINE) and "rules:" in block:
            assert re.search(r"rules:\n\s+#", block), "the first rule has no comment"
