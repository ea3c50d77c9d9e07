"""The provider ``local``: up, down, status and images of the cluster on this machine."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from e2e.cluster import binaries
from e2e.cluster.command import CommandFailedError, find, run, succeeds
from e2e.cluster.console import Console, tail
from e2e.cluster.images import PAUSE, Image, select
from e2e.cluster.layout import Cache, Checkout
from e2e.cluster.local import builder, configuration, machine, network
from e2e.cluster.local.components import Component, components
from e2e.cluster.local.teardown import tear_down
from e2e.cluster.lock import exclusive
from e2e.cluster.problem import ProblemError
from e2e.cluster.process import Record, start

SOCKET_LIMIT = 100


class Condition(Enum):
    """What ``up`` finds."""

    RUNNING = "running"
    DAMAGED = "damaged"
    ABSENT = "absent"


def condition_of(provisioned: bool, connected: bool, alive: int, wanted: int, ready: Callable[[], bool]) -> Condition:
    """Judges a cluster by what is left of it.

    Args:
        provisioned: It was ready once.
        connected: Its network is there.
        alive: How many of its processes run.
        wanted: How many there should be.
        ready: Asks the cluster itself; called only when everything else is fine.
    """
    if not (provisioned and connected):
        return Condition.ABSENT
    return Condition.RUNNING if alive == wanted and ready() else Condition.DAMAGED


class LocalCluster:
    """Real Kubernetes on this machine, in a network namespace of its own."""

    def __init__(self, cache: Cache, checkout: Checkout, console: Console) -> None:
        self._cache = cache
        self._checkout = checkout
        self._console = console
        self._state = cache.state
        self._launched: list[Record] = []

    def up(self) -> bool:
        machine.require_root()
        with exclusive(self._cache.lock, self._console):
            condition = self._condition()
            if condition is Condition.RUNNING:
                self._console.say("the cluster is up")
                return False
            self._prepare()
            if condition is Condition.DAMAGED and self._heal():
                return False
            self._begin()
            return True

    def down(self) -> None:
        if not self._state.root.exists() and not (network.NAMESPACES / network.NAMESPACE).exists():
            self._console.say("no cluster is there")
            return
        machine.require_root()
        with exclusive(self._cache.lock, self._console), self._console.step("taking the cluster down"):
            self._refuse_foreign()
            tear_down(self._state)

    def status(self) -> tuple[bool, Sequence[str]]:
        lines = []
        for component in self._components():
            identity = Record(self._state.pids, component.name).read()
            lines.append(f"{component.name:24} {f'pid {identity.pid}' if identity else 'not running'}")
        condition = self._condition()
        return condition is Condition.RUNNING, [*lines, f"cluster is {condition.value}"]

    def load(self, names: Sequence[str]) -> Mapping[str, str]:
        machine.require_root()
        with exclusive(self._cache.lock, self._console):
            if self._condition() is not Condition.RUNNING:
                raise ProblemError("the cluster is not up", "python3 -m e2e.cluster up")
            chosen = select(names)
            for image in chosen:
                self._load(image)
        return {image.name: image.reference for image in chosen}

    def environment(self) -> Mapping[str, str]:
        return {
            "ULTRA_CLUSTER_PIDS": str(self._state.pids),
            "ULTRA_CLUSTER_LOGS": str(self._state.logs),
            "ULTRA_AUDIT_LOG": str(self._state.audit_log),
        }

    def kubeconfig(self) -> str:
        """The text of the administrator's kubeconfig."""
        return self._state.kubeconfig("admin").read_text()

    def kubectl(self) -> Path:
        """The kubectl of the cluster's own version."""
        return self._cache.binaries / "kubectl"

    def _components(self) -> tuple[Component, ...]:
        return components(self._cache.binaries, find("containerd") or "containerd", self._state)

    def _condition(self) -> Condition:
        wanted = self._components()
        alive = sum(Record(self._state.pids, component.name).read() is not None for component in wanted)
        connected = find("ip") is not None and network.exists()
        return condition_of(self._state.provisioned.exists(), connected, alive, len(wanted), self._ready)

    def _prepare(self) -> None:
        if len(str(self._state.socket)) > SOCKET_LIMIT:
            raise ProblemError(f"the path of the cache is too long for a socket: {self._cache.root}", "set ULTRA_CACHE")
        machine.provide(machine.TO_RUN, self._console, self._cache.logs / "apt.log")
        binaries.provide(binaries.NODE_PROGRAMS, self._cache, self._console)
        builder.provide(PAUSE, self._checkout, self._cache, self._console)

    def _heal(self) -> bool:
        self._console.say("the cluster is damaged: starting what is missing")
        self._launched.clear()
        try:
            self._start()
        except ProblemError as problem:
            self._console.say(f"it cannot be healed, making a new one. {problem}")
            return False
        return True

    def _begin(self) -> None:
        """Makes a new cluster; one that does not become ready is removed again, only its logs are kept."""
        self._refuse_foreign()
        self._launched.clear()
        tear_down(self._state)
        try:
            self._create()
        except BaseException:
            kept = self._cache.logs / "failed-cluster"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(self._state.logs, kept)
            self._console.say(f"removing the cluster that did not become ready; its logs are kept in {kept}")
            tear_down(self._state)
            raise

    def _create(self) -> None:
        for folder in (self._state.keys, self._state.logs, self._state.audit_log.parent, self._state.root / "cni"):
            folder.mkdir(parents=True, exist_ok=True)
        self._state.root.chmod(0o700)
        with self._console.step("starting a new cluster"):
            network.create()
            self._write_files()
            self._start()
            self._state.provisioned.touch()

    def _refuse_foreign(self) -> None:
        if not self._state.root.exists() and (pids := network.processes(network.NAMESPACE)):
            raise ProblemError(
                f"the network namespace {network.NAMESPACE} belongs to another cache's cluster (pid {pids[0]})",
                "take that one down first, with its ULTRA_CACHE",
            )

    def _write_files(self) -> None:
        root = self._state.root
        plugins = machine.plugin_folder() or machine.PLUGIN_FOLDERS[0]
        run(["openssl", "genrsa", "-out", self._state.keys / "sa.key", "2048"])
        snapshotter = "overlayfs" if machine.overlays(root) else "native"
        texts = {
            "audit.json": configuration.audit_policy(),
            "containerd.toml": configuration.containerd(self._state, plugins, snapshotter),
            "cni/10-ultra.conflist": configuration.pod_network(self._state),
            "Corefile": configuration.corefile(self._state),
            "resolv.conf": f"nameserver {network.NODE}\n",
            "kubelet.json": configuration.kubelet(self._state),
        }
        for name, text in texts.items():
            (root / name).write_text(text)

    def _write_access(self) -> None:
        """Writes tokens and kubeconfigs once the API server has made its certificate."""
        certificate = self._state.keys / "apiserver.crt"
        self._await(certificate.exists, "the API server's certificate", 60)
        for user, token in self._tokens().items():
            self._state.kubeconfig(user).write_text(configuration.kubeconfig(user, token, certificate.read_bytes()))

    def _tokens(self) -> dict[str, str]:
        file = self._state.keys / "tokens.csv"
        if not file.exists():
            file.write_text(configuration.tokens({user: secrets.token_hex(16) for user in configuration.USERS}))
        rows = (line.split(",") for line in file.read_text().splitlines())
        return {row[2]: row[0] for row in rows}

    def _start(self) -> None:
        """Starts what does not run yet, each thing when what it needs is there."""
        wanted = {component.name: component for component in self._components()}
        self._tokens()
        self._launch(wanted["etcd"])
        self._launch(wanted["kube-apiserver"])
        self._launch(wanted["containerd"])
        self._write_access()
        self._await(self._answers, "the API server", 90)
        self._await(self._containerd_answers, "containerd", 30)
        self._load(PAUSE)
        for component in wanted.values():
            self._launch(component)
        self._await(self._ready, "the node", 90)

    def _launch(self, component: Component) -> None:
        record = Record(self._state.pids, component.name)
        if record.read() is None:
            self._launched.append(record)
            start(network.inside(component.argv), self._state.logs / f"{component.name}.log", record)

    def _await(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Waits for something; says at once when a process that was started has ended, and what it wrote last."""
        deadline = time.monotonic() + seconds
        while not done():
            for record in self._launched:
                if record.read() is None:
                    log = self._state.logs / f"{record.name}.log"
                    words = "\n".join(f"    {line[:200]}" for line in tail(log, 8))
                    raise ProblemError(f"{record.name} ended while waiting for {what}\n{words}")
            if time.monotonic() > deadline:
                raise ProblemError(f"{what} is not ready after {seconds:.0f} s", "look at the logs of the cluster")
            time.sleep(0.2)

    def _kubectl(self, *words: str) -> list[str]:
        return [f"{self._cache.binaries}/kubectl", f"--kubeconfig={self._state.kubeconfig('admin')}", *words]

    def _answers(self) -> bool:
        return succeeds(self._kubectl("get", "--raw", "/readyz"), env=DIRECT, timeout=10)

    def _ready(self) -> bool:
        query = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        try:
            shown = run(self._kubectl("get", "node", configuration.NODE_NAME, "-o", query), env=DIRECT, timeout=10)
        except CommandFailedError:
            return False
        return shown.strip() == "True"

    def _containerd_answers(self) -> bool:
        return succeeds(["ctr", "--address", self._state.socket, "version"], timeout=10)

    def _load(self, image: Image) -> None:
        key = builder.provide(image, self._checkout, self._cache, self._console)
        note = self._state.loaded / image.name
        if note.exists() and note.read_text() == key:
            return
        archive = builder.archive(image, self._cache)
        with self._console.step(f"loading {image.reference} into the cluster"):
            run(["ctr", "--address", self._state.socket, "--namespace", "k8s.io", "images", "import", archive])
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(key)


DIRECT = {"NO_PROXY": f"{network.NODE},{network.PODS},{network.SERVICES}", "no_proxy": f"{network.NODE}"}
