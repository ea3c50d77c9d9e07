"""The files that the local cluster's processes read, as text."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from e2e.cluster.layout import State
from e2e.cluster.local import network
from e2e.cluster.provider import CLUSTER_NAME

NODE_NAME = "ultra"
PAUSE_IMAGE = "localhost/pause:1"
SERVER = f"https://{network.NODE}:6443"

USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "node": (f"system:node:{NODE_NAME}", "system:nodes"),
    "proxy": ("system:kube-proxy", "system:node-proxier"),
}


def tokens(secrets: dict[str, str]) -> str:
    """The API server's token file: token, user name, user id, groups."""
    lines = (f'{secrets[user]},{name},{user},"{groups}"' for user, (name, groups) in USERS.items())
    return "\n".join(lines) + "\n"


def kubeconfig(user: str, token: str, certificate: bytes) -> str:
    """A kubeconfig that carries its certificate with it, so that it can be copied."""
    authority = base64.b64encode(certificate).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CLUSTER_NAME,
        "clusters": [{"name": CLUSTER_NAME, "cluster": {"server": SERVER, "certificate-authority-data": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": CLUSTER_NAME, "context": {"cluster": CLUSTER_NAME, "user": user}}],
    }
    return json.dumps(content, indent=1) + "\n"


def audit_policy() -> str:
    """Records what service accounts outside kube-system asked for: what an operator did, and which rights it used."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ],
    }
    return json.dumps(policy, indent=1) + "\n"


def containerd(state: State, plugins: Path, snapshotter: str) -> str:
    """Keeps everything under the state folder; ``restrict_oom_score_adj`` because not every root may lower it."""
    return f"""version = 2
root = "{state.root}/containerd/root"
state = "{state.root}/containerd/state"
[grpc]
  address = "{state.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{state.root}/cni"
"""


def pod_network(state: State) -> str:
    """A bridge for the pods, with addresses remembered in the state folder and not machine-wide."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": f"{state.root}/addresses",
            "ranges": [[{"subnet": network.NODE_PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": CLUSTER_NAME, "plugins": [bridge, portmap]}, indent=1) + "\n"


def corefile(state: State) -> str:
    """Names of Services and pods, nothing else: the cluster has no way out."""
    return f""".:53 {{
  bind {network.NODE}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {state.kubeconfig("admin")} {CLUSTER_NAME}
    pods verified
  }}
  cache 5
}}
"""


def kubelet(state: State) -> str:
    """One node without reserves, control group driver ``cgroupfs``, images never collected."""
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.NODE,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [network.NODE],
        "clusterDomain": "cluster.local",
        "containerLogMaxSize": "5Mi",
        "containerRuntimeEndpoint": f"unix://{state.socket}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi"},
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "5s",
        "resolvConf": f"{state.root}/resolv.conf",
    }
    return json.dumps(content, indent=1) + "\n"
