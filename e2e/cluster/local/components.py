"""The processes of the local cluster, as command lines, in the order they start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.layout import State
from e2e.cluster.local import network
from e2e.cluster.local.configuration import NODE_NAME

ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True)
class Component:
    """One process: the name of its pid file and log, and its command line."""

    name: str
    argv: tuple[str, ...]


def components(programs: Path, containerd: str, state: State) -> tuple[Component, ...]:
    """All processes of the cluster.

    Args:
        programs: The folder of the Kubernetes binaries.
        containerd: The containerd of the machine.
        state: Where their files lie.
    """
    return (
        _etcd(programs, state),
        _apiserver(programs, state),
        _controller_manager(programs, state),
        _scheduler(programs, state),
        Component("containerd", (containerd, "--config", f"{state.root}/containerd.toml")),
        Component("coredns", (f"{programs}/coredns", "-conf", f"{state.root}/Corefile")),
        _kubelet(programs, state),
        _proxy(programs, state),
    )


def _etcd(programs: Path, state: State) -> Component:
    argv = (
        f"{programs}/etcd",
        f"--data-dir={state.root}/etcd",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    return Component("etcd", argv)


def _apiserver(programs: Path, state: State) -> Component:
    argv = (
        f"{programs}/kube-apiserver",
        f"--etcd-servers={ETCD}",
        f"--bind-address={network.NODE}",
        f"--advertise-address={network.NODE}",
        "--secure-port=6443",
        f"--cert-dir={state.keys}",
        f"--token-auth-file={state.keys}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={state.keys}/sa.key",
        f"--service-account-signing-key-file={state.keys}/sa.key",
        f"--service-cluster-ip-range={network.SERVICES}",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={state.root}/audit.json",
        f"--audit-log-path={state.audit_log}",
        "--audit-log-maxsize=50",
        "--audit-log-maxbackup=8",
    )
    return Component("kube-apiserver", argv)


def _controller_manager(programs: Path, state: State) -> Component:
    config = state.kubeconfig("controller-manager")
    argv = (
        f"{programs}/kube-controller-manager",
        *_access(f"{config}"),
        f"--service-account-private-key-file={state.keys}/sa.key",
        f"--root-ca-file={state.keys}/apiserver.crt",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={state.root}/controller-manager-pki",
    )
    return Component("kube-controller-manager", argv)


def _scheduler(programs: Path, state: State) -> Component:
    config = state.kubeconfig("scheduler")
    argv = (
        f"{programs}/kube-scheduler",
        *_access(f"{config}"),
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={state.root}/scheduler-pki",
    )
    return Component("kube-scheduler", argv)


def _access(config: str) -> tuple[str, ...]:
    return (f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}")


def _kubelet(programs: Path, state: State) -> Component:
    argv = (
        f"{programs}/kubelet",
        f"--config={state.root}/kubelet.json",
        f"--kubeconfig={state.kubeconfig('node')}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={network.NODE}",
        f"--root-dir={state.root}/kubelet",
        f"--cert-dir={state.root}/kubelet-pki",
    )
    return Component("kubelet", argv)


def _proxy(programs: Path, state: State) -> Component:
    argv = (
        f"{programs}/kube-proxy",
        f"--kubeconfig={state.kubeconfig('proxy')}",
        "--proxy-mode=iptables",
        f"--hostname-override={NODE_NAME}",
        f"--cluster-cidr={network.PODS}",
        "--conntrack-max-per-core=0",
    )
    return Component("kube-proxy", argv)
