"""What our ServiceAccounts need, feature by feature, and the reference page that is drawn from it.

Manifests are compared with this list by tests, and the list with what the API server saw us do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ultra_recovery.apis.meta import GROUP
from ultra_recovery.apis.reference import HEADER, table
from ultra_recovery.settings import Scope

Process = Literal["operator", "api"]
_BOTH: tuple[Scope, ...] = ("cluster", "namespace")
_OURS = ("circuitbreakers", "recoverypolicies", "recoveryruns")
_CORE = ""


@dataclass(frozen=True, slots=True)
class Need:
    """What one feature needs.

    Attributes:
        feature: what it is for, as a sentence.
        group: the API group, "" for the core group.
        resources: plurals, with "/" and a subresource.
        verbs: as RBAC has them.
        scopes: with which scope it is needed.
        setting: what switches the feature on; "" for one that is always there.
    """

    feature: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    scopes: tuple[Scope, ...] = _BOTH
    setting: str = ""

    def atoms(self) -> Iterator[tuple[str, str, str]]:
        """Group, resource and verb, one by one."""
        yield from ((self.group, resource, verb) for resource in self.resources for verb in self.verbs)


CHECK_CREATOR = "ULTRA_CHECK_CREATOR"
AUDIENCE = "ULTRA_API_AUDIENCE"
_WORKLOADS = Need(
    "Targets: readiness, rollouts, selectors.", "apps", ("deployments", "statefulsets"), ("list", "watch")
)
NEEDS: dict[Process, tuple[Need, ...]] = {
    "operator": (
        Need("Read what users declare, and the runs.", GROUP, _OURS, ("list", "watch")),
        Need("Write a breaker's state again over a report that came meanwhile.", GROUP, ("circuitbreakers",), ("get",)),
        Need("A run is the intent, written before anything is done.", GROUP, ("recoveryruns",), ("create",)),
        Need("Retention: `spec.history` of a policy.", GROUP, ("recoveryruns",), ("delete",)),
        Need(
            "State, conditions, decisions and records.",
            GROUP,
            tuple(f"{plural}/status" for plural in _OURS),
            ("patch",),
        ),
        _WORKLOADS,
        Need(
            "Health of pods; what is probed must be a pod of the breaker's namespace.",
            _CORE,
            ("pods", "services"),
            ("list", "watch"),
        ),
        Need("Likewise.", "discovery.k8s.io", ("endpointslices",), ("list", "watch")),
        Need(
            "The annotation that pauses a namespace.",
            _CORE,
            ("namespaces",),
            ("list", "watch"),
            ("cluster",),
        ),
        Need("Likewise, of the watched namespaces alone.", _CORE, ("namespaces",), ("get",), ("namespace",)),
        Need("`restartPods`.", _CORE, ("pods/eviction",), ("create",)),
        Need("`runJob`: a Job is made from a suspended CronJob.", "batch", ("cronjobs",), ("get",)),
        Need("`runJob`: the Job, and what came of it.", "batch", ("jobs",), ("get", "create")),
        Need(
            "The leader's Lease; one per target and per breaker, beside it, while a run works on it.",
            "coordination.k8s.io",
            ("leases",),
            ("get", "create", "update", "delete"),
        ),
        Need("Events on our own objects.", _CORE, ("events",), ("create", "patch")),
        Need(
            "May the ServiceAccount of a policy do what its ladder does?",
            "authorization.k8s.io",
            ("subjectaccessreviews",),
            ("create",),
            ("cluster",),
            CHECK_CREATOR,
        ),
        Need(
            "Likewise, in one namespace.",
            "authorization.k8s.io",
            ("localsubjectaccessreviews",),
            ("create",),
            ("namespace",),
            CHECK_CREATOR,
        ),
    ),
    "api": (
        Need("What it shows.", GROUP, _OURS, ("list", "watch")),
        _WORKLOADS,
        Need("Calls that ask for a recovery.", GROUP, ("recoveryruns",), ("create",)),
        Need(
            "A run, or a breaker on trial, as it is now.",
            GROUP,
            ("circuitbreakers", "recoveryruns"),
            ("get",),
        ),
        Need(
            "Resets are annotations of breakers; approvals and cancellations are annotations of runs.",
            GROUP,
            ("circuitbreakers", "recoveryruns"),
            ("patch",),
        ),
        Need("What callers report about a breaker.", GROUP, ("circuitbreakers/status",), ("patch",)),
        Need(
            "Whose token a caller sends.",
            "authentication.k8s.io",
            ("tokenreviews",),
            ("create",),
            ("cluster",),
            AUDIENCE,
        ),
        Need(
            "What that caller may do.",
            "authorization.k8s.io",
            ("subjectaccessreviews",),
            ("create",),
            ("cluster",),
            AUDIENCE,
        ),
    ),
}
"""Everything that each process asks the API server for. Discovery is open to every ServiceAccount."""

_TEXT = (
    "What the ServiceAccounts of the operator and of the recovery API may do, and which feature needs it. With\n"
    "`ULTRA_SCOPE=cluster` these are rules of a ClusterRole, with `namespace` of a Role in each watched namespace: no\n"
    "ClusterRole is needed. In one pod both processes share a ServiceAccount, and the API needs what the operator\n"
    "does not have yet.\n\n"
    "No wildcard, nothing on Secrets, nothing that runs commands in pods, nothing that changes roles or acts as\n"
    "somebody else. Manifests are compared with this list by a test, and after a run of all end-to-end tests the API\n"
    "server's audit log is: a right that nothing used, or a request that was refused, fails it. Why it is so:\n"
    "[security](../explanation/security.md).\n"
)
_TITLES: dict[Process, str] = {"operator": "The operator", "api": "The recovery API"}


def rights_page() -> str:
    """Every right, by process and feature."""
    parts = [HEADER, "# Rights\n", _TEXT]
    for process, needs in NEEDS.items():
        parts += [f"## {_TITLES[process]}\n", table(_HEAD, [_row(need) for need in needs])]
    return "\n".join(parts)


def atoms(
    processes: Sequence[Process], scope: Scope, settings: Sequence[str] = (CHECK_CREATOR, AUDIENCE)
) -> frozenset[tuple[str, str, str]]:
    """Group, resource and verb of everything that these processes need with these settings."""
    wanted = [need for process in processes for need in NEEDS[process] if scope in need.scopes]
    return frozenset(atom for need in wanted if not need.setting or need.setting in settings for atom in need.atoms())


_HEAD = ("Feature", "API group", "Resources", "Verbs", "Scope", "Only with")


def _row(need: Need) -> tuple[str, ...]:
    return (
        need.feature,
        f"`{need.group}`" if need.group else "core",
        ", ".join(f"`{name}`" for name in need.resources),
        ", ".join(f"`{verb}`" for verb in need.verbs),
        "" if need.scopes == _BOTH else need.scopes[0],
        f"`{need.setting}`" if need.setting else "",
    )
