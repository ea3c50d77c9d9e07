"""The network of the local cluster: one namespace that holds the whole node, and routes to it from the machine."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from e2e.cluster.command import CommandFailedError, run
from e2e.cluster.problem import ProblemError

NAMESPACE = "ultra-recovery"
LINK = "ultra0"
MACHINE = "10.200.0.1"
NODE = "10.200.0.2"
NODES = "10.200.0.0/24"
PODS = "10.244.0.0/16"
NODE_PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
NAMESPACES = Path("/run/netns")


def inside(argv: Sequence[str]) -> list[str]:
    """The command line that runs a program inside the namespace.

    ``nsenter`` and not ``ip netns exec``: the latter remounts /sys and hides the control groups from the kubelet.
    """
    return ["nsenter", f"--net={NAMESPACES / NAMESPACE}", "--", *argv]


def exists() -> bool:
    """Whether the namespace is there and the machine still has its route to the pods."""
    if not (NAMESPACES / NAMESPACE).exists():
        return False
    return any(route.get("dst") == PODS and route.get("dev") == LINK for route in routes())


def routes() -> list[dict[str, str]]:
    """The machine's routes."""
    answer: list[dict[str, str]] = json.loads(run(["ip", "-json", "-4", "route", "show"]) or "[]")
    return answer


def conflicts(known: Sequence[dict[str, str]], wanted: Sequence[str] = (NODES, PODS, SERVICES)) -> list[str]:
    """Routes of others that overlap with the cluster's address ranges, as sentences."""
    found = []
    for route in known:
        target = route.get("dst", "")
        if target == "default" or route.get("dev") == LINK:
            continue
        with suppress(ValueError):
            theirs = ipaddress.ip_network(target)
            found += [
                f"{target} on {route.get('dev', '?')} overlaps with {ours}"
                for ours in wanted
                if theirs.overlaps(ipaddress.ip_network(ours))
            ]
    return found


def create() -> None:
    """Makes the namespace, the pair of links and the routes.

    Raises:
        ProblemError: An address range is in use on this machine.
    """
    if taken := conflicts(routes()):
        raise ProblemError(
            f"the local cluster's address ranges are in use: {'; '.join(taken)}",
            "remove those routes, or use another cluster (CLUSTER=kind, or CLUSTER=current with KUBE_CONTEXT)",
        )
    run(["ip", "netns", "add", NAMESPACE])
    run(["ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE])
    run(["ip", "addr", "add", f"{MACHINE}/24", "dev", LINK])
    run(["ip", "link", "set", LINK, "up"])
    for step in (
        ["ip", "addr", "add", f"{NODE}/24", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
        ["ip", "link", "set", "lo", "up"],
        ["ip", "route", "add", "default", "via", MACHINE],
        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ):
        run(inside(step))
    for target in (PODS, SERVICES):
        run(["ip", "route", "replace", target, "via", NODE])


def processes(namespace: str) -> list[int]:
    """Ids of the processes inside a network namespace; none when there is no such namespace."""
    try:
        return [int(pid) for pid in run(["ip", "netns", "pids", namespace]).split()]
    except CommandFailedError:
        return []


def pod_namespaces() -> list[str]:
    """Names of the namespaces whose other link end is in the node: the pods of this cluster and of no other."""
    try:
        peers = json.loads(run(inside(["ip", "-json", "netns", "list-id"])) or "[]")
    except CommandFailedError:
        return []
    return pod_namespaces_of(peers)


def pod_namespaces_of(peers: Sequence[dict[str, object]]) -> list[str]:
    """The namespaces of pods among the peers that ``ip -json netns list-id`` printed."""
    names = (str(peer.get("name", "")) for peer in peers)
    return sorted({name for name in names if name.startswith("cni-")})


def remove(pods: Sequence[str]) -> None:
    """Deletes the namespaces and the link; the routes go with the link."""
    for name in (*pods, NAMESPACE):
        if (NAMESPACES / name).exists():
            run(["ip", "netns", "del", name])
    with suppress(CommandFailedError):  # the pair is gone already when its other end was
        run(["ip", "link", "del", LINK])
