"""Taking the local cluster down: everything ends before anything is removed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from e2e.cluster.command import CommandFailedError, find, run
from e2e.cluster.layout import State
from e2e.cluster.local import network
from e2e.cluster.problem import ProblemError
from e2e.cluster.process import PROC, Identity, Record, send, stop, wait_until_gone

FIRST = ("kubelet", "kube-proxy", "coredns", "kube-controller-manager", "kube-scheduler")
LAST = ("kube-apiserver", "etcd", "containerd")
PATIENCE = 3.0  # nothing of theirs is kept, so nobody has to finish anything


def tear_down(state: State) -> None:
    """Ends every process of the cluster, waits for it, and then removes mounts, network and files."""
    records = {name: Record(state.pids, name) for name in (*FIRST, *LAST)}
    stop([records[name] for name in FIRST], PATIENCE)
    end_containers(state)
    stop([records[name] for name in LAST], PATIENCE)
    pods = network.pod_namespaces() if find("ip") else []
    end_leftovers(state, pods)
    for point in mounts_under(state.root, (PROC / "self/mountinfo").read_text()):
        run(["umount", "--lazy", point])
    if find("ip"):
        network.remove(pods)
    remove_empty_control_groups()
    if state.root.exists():
        shutil.rmtree(state.root)


def end_containers(state: State) -> None:
    """Kills what runs in containers while containerd is there to clean up after it."""
    if Record(state.pids, "containerd").read() is None:
        return
    control = ["ctr", "--address", str(state.socket), "--namespace", "k8s.io"]
    with suppress(CommandFailedError):
        tasks = parse_tasks(run([*control, "tasks", "ls"], timeout=20))
        identities = [identity for pid in tasks.values() if (identity := Identity.of(pid))]
        send(identities, signal.SIGKILL)
        wait_until_gone(identities, 5)
        for name in tasks:
            with suppress(CommandFailedError):
                run([*control, "tasks", "rm", "--force", name], timeout=10)


def parse_tasks(table: str) -> dict[str, int]:
    """Container names and process ids in what ``ctr tasks ls`` prints."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {row[0]: int(row[1]) for row in rows if len(row) >= 2 and row[1].isdigit() and row[1] != "0"}


def end_leftovers(state: State, pods: Sequence[str]) -> None:
    """Ends what is left when containerd was not there to do it: processes in our namespaces, and its shims.

    Raises:
        ProblemError: A process does not end even when killed.
    """
    pids = {pid for name in (*pods, network.NAMESPACE) for pid in network.processes(name)} | set(supervised(state))
    identities = [identity for pid in pids - {os.getpid()} if (identity := Identity.of(pid))]
    send(identities, signal.SIGKILL)
    if not wait_until_gone(identities, 15):
        left = ", ".join(str(identity.pid) for identity in identities if identity.alive())
        raise ProblemError(f"processes of the cluster do not end: {left}", f"{state.root} is kept until they are gone")


def supervised(state: State, proc: Path = PROC) -> list[int]:
    """Ids of the supervisors that belong to this cluster's containerd, told by its socket, and of their containers."""
    parents: dict[int, int] = {}
    ours: list[int] = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if b"containerd-shim" in words[0] and str(state.socket).encode() in words:
                ours.append(int(folder.name))
    return sorted([*ours, *(pid for pid, parent in parents.items() if parent in ours)])


def mounts_under(folder: Path, mountinfo: str) -> list[str]:
    """Mount points inside a folder, innermost first."""
    points = (line.split()[4].replace("\\040", " ") for line in mountinfo.splitlines())
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def remove_empty_control_groups(root: Path = Path("/sys/fs/cgroup")) -> None:
    """Removes the kubelet's control groups, unless another kubelet runs on this machine."""
    if any(_command(folder) == "kubelet" for folder in PROC.iterdir() if folder.name.isdigit()):
        return
    for top in (root / "kubepods", *root.glob("*/kubepods")):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _command(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return ""
