"""The local cluster: what is found, what is in the way, what is left over, what its files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.cluster.binaries import NODE_PROGRAMS
from e2e.cluster.layout import State
from e2e.cluster.local import configuration, network
from e2e.cluster.local.cluster import Condition, condition_of
from e2e.cluster.local.components import components
from e2e.cluster.local.teardown import FIRST, LAST, mounts_under, parse_tasks, supervised

STATE = State(Path("/state"))


@pytest.mark.parametrize(
    ("provisioned", "connected", "alive", "ready", "expected"),
    [
        pytest.param(True, True, 8, True, Condition.RUNNING, id="everything runs"),
        pytest.param(True, True, 7, True, Condition.DAMAGED, id="a process is gone"),
        pytest.param(True, True, 0, True, Condition.DAMAGED, id="all processes are gone"),
        pytest.param(True, True, 8, False, Condition.DAMAGED, id="everything runs and does not answer"),
        pytest.param(True, False, 0, False, Condition.ABSENT, id="the machine was started again"),
        pytest.param(False, True, 3, True, Condition.ABSENT, id="an earlier up was interrupted"),
        pytest.param(False, False, 0, False, Condition.ABSENT, id="nothing is there"),
    ],
)
def test_what_is_left_of_a_cluster_decides_what_up_does(provisioned, connected, alive, ready, expected):
    assert condition_of(provisioned, connected, alive, 8, lambda: ready) is expected


@pytest.mark.parametrize(
    ("target", "device", "found"),
    [
        pytest.param("default", "eth0", False, id="the default route"),
        pytest.param("192.0.2.0/24", "eth0", False, id="another network"),
        pytest.param("10.200.0.0/16", "eth0", True, id="a wider network around the node"),
        pytest.param("10.244.3.0/24", "flannel.1", True, id="pods of another cluster"),
        pytest.param("10.96.0.1", "tun0", True, id="a single address"),
        pytest.param("10.244.0.0/16", network.LINK, False, id="our own route"),
        pytest.param("not an address", "eth0", False, id="nonsense"),
    ],
)
def test_address_ranges_that_are_in_use_are_found(target, device, found):
    assert bool(network.conflicts([{"dst": target, "dev": device}])) is found


def test_only_namespaces_linked_to_our_node_are_ours():
    peers = [{"nsid": 0}, {"nsid": 2, "name": "cni-two"}, {"nsid": 1, "name": "cni-one"}, {"nsid": 3, "name": "other"}]

    assert network.pod_namespaces_of(peers) == ["cni-one", "cni-two"]


def test_tasks_are_read_from_what_containerd_prints():
    table = "TASK    PID     STATUS\nabc     4711    RUNNING\ndef     0       STOPPED\n\n"

    assert parse_tasks(table) == {"abc": 4711}


def test_mounts_are_found_innermost_first_and_never_beside_the_folder():
    lines = [
        "22 1 8:1 / / rw - ext4 /dev/vda rw",
        "30 22 0:40 / /state/kubelet/pods/1 rw - tmpfs tmpfs rw",
        "31 30 0:41 / /state/kubelet/pods/1/a\\040b rw - tmpfs tmpfs rw",
        "32 22 0:42 / /state-of-others/x rw - tmpfs tmpfs rw",
    ]

    assert mounts_under(Path("/state"), "\n".join(lines)) == ["/state/kubelet/pods/1/a b", "/state/kubelet/pods/1"]


def test_supervisors_of_other_container_engines_are_left_alone(tmp_path):
    def put(pid: int, parent: int, *words: str) -> None:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes("\0".join([*words, ""]).encode())
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a b) S {parent} 0")

    shim = "/usr/bin/containerd-shim-runc-v2"
    put(10, 1, shim, "-namespace", "k8s.io", "-address", str(STATE.socket))
    put(11, 1, shim, "-namespace", "k8s.io", "-address", "/run/containerd/containerd.sock")
    put(12, 10, "/pause")
    put(13, 11, "/pause")
    put(14, 1, "tail", str(STATE.socket))
    (tmp_path / "self").mkdir()

    assert supervised(STATE, tmp_path) == [10, 12]


def test_down_ends_every_process_that_up_starts():
    names = [component.name for component in components(Path("/bin"), "/usr/bin/containerd", STATE)]

    assert sorted(names) == sorted((*FIRST, *LAST))


def test_every_program_but_kubectl_and_containerd_is_one_that_we_build():
    programs = {component.argv[0] for component in components(Path("/cache"), "/usr/bin/containerd", STATE)}

    built = {f"/cache/{program.name}" for program in NODE_PROGRAMS} - {"/cache/kubectl"}
    assert programs == built | {"/usr/bin/containerd"}


def test_the_audit_log_is_bounded_and_holds_requests_of_service_accounts_only():
    server = next(part for part in components(Path("/bin"), "containerd", STATE) if part.name == "kube-apiserver")
    policy = json.loads(configuration.audit_policy())

    assert {"--audit-log-maxsize=50", "--audit-log-maxbackup=8"} <= set(server.argv)
    assert [rule["level"] for rule in policy["rules"]] == ["None", "Metadata", "None"]
    assert policy["rules"][1]["userGroups"] == ["system:serviceaccounts"]


def test_every_user_gets_a_token_line_and_a_kubeconfig_of_its_own():
    secrets = {user: f"token-{user}" for user in configuration.USERS}
    lines = configuration.tokens(secrets).splitlines()

    assert 'token-node,system:node:ultra,node,"system:nodes"' in lines
    assert len(lines) == len(configuration.USERS)
    content = json.loads(configuration.kubeconfig("node", secrets["node"], b"certificate"))
    assert content["users"] == [{"name": "node", "user": {"token": "token-node"}}]
    assert content["clusters"][0]["cluster"]["certificate-authority-data"] == "Y2VydGlmaWNhdGU="


def test_addresses_of_pods_are_remembered_in_the_state_folder():
    bridge = json.loads(configuration.pod_network(STATE))["plugins"][0]

    assert bridge["ipam"]["dataDir"] == "/state/addresses"
