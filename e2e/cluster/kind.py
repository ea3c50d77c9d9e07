"""The provider ``kind``: a cluster in containers of a Docker engine, under a name of our own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster import binaries
from e2e.cluster.command import CommandFailedError, find, run, succeeds
from e2e.cluster.console import Console
from e2e.cluster.host_pip import build_settings
from e2e.cluster.images import Image, key_of, select
from e2e.cluster.layout import Cache, Checkout
from e2e.cluster.lock import exclusive
from e2e.cluster.problem import ProblemError
from e2e.cluster.provider import CLUSTER_NAME

CONFIGURATION = Path(__file__).parent / "kind.yaml"
CONTEXT = f"kind-{CLUSTER_NAME}"
NODE = f"{CLUSTER_NAME}-control-plane"
KEY_LABEL = "dev.ultra.recovery.key"
START_SECONDS = 600.0
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def docker_answers() -> bool:
    """Whether a Docker engine is reachable."""
    return find("docker") is not None and succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout=10)


class KindCluster:
    """A kind cluster named after the project; clusters of other names are never touched."""

    def __init__(self, cache: Cache, checkout: Checkout, console: Console) -> None:
        self._cache = cache
        self._checkout = checkout
        self._console = console

    def up(self) -> bool:
        if not docker_answers():
            raise ProblemError("no Docker engine answers", "start one, or use CLUSTER=local or CLUSTER=current")
        kind = self._kind()
        with exclusive(self._cache.lock, self._console):
            if CLUSTER_NAME in self._clusters(kind):
                return self._wake(kind)
            self._create(kind)
            return True

    def down(self) -> None:
        if not docker_answers():
            self._console.say("no Docker engine answers, so no kind cluster is there")
            return
        kind = self._kind()
        with exclusive(self._cache.lock, self._console):
            if CLUSTER_NAME not in self._clusters(kind):
                self._console.say("no cluster is there")
                return
            with self._console.step(f"deleting the kind cluster {CLUSTER_NAME}"):
                run([kind, "delete", "cluster", "--name", CLUSTER_NAME, "--kubeconfig", self._private()])
                self._private().unlink(missing_ok=True)

    def status(self) -> tuple[bool, Sequence[str]]:
        if not docker_answers():
            return False, ["no Docker engine answers"]
        state = self._node_state()
        return state == "running", [f"{NODE:32} {state or 'not there'}"]

    def load(self, names: Sequence[str]) -> Mapping[str, str]:
        kind = self._kind()
        with exclusive(self._cache.lock, self._console):
            for image in select(names):
                self._load(kind, image)
        return {image.name: image.reference for image in select(names)}

    def environment(self) -> Mapping[str, str]:
        return {}

    def kubeconfig(self) -> str:
        """The text of a kubeconfig for this cluster alone."""
        return run([self._kind(), "get", "kubeconfig", "--name", CLUSTER_NAME])

    def kubectl(self) -> Path:
        """A kubectl that fits: the machine's own, or the one inside the node."""
        own = find("kubectl")
        if own:
            return Path(own)
        copy = self._cache.root / "kind-kubectl"
        run(["docker", "cp", f"{NODE}:/usr/bin/kubectl", copy])
        return copy

    def _create(self, kind: str) -> None:
        """Creates the cluster; one that does not become ready is removed again."""
        log = self._cache.logs / "kind.log"
        named: tuple[str | Path, ...] = ("--name", CLUSTER_NAME, "--kubeconfig", self._private())
        with self._console.step(f"creating the kind cluster {CLUSTER_NAME}", log):
            try:
                create: list[str | Path] = [
                    kind,
                    "create",
                    "cluster",
                    *named,
                    "--config",
                    CONFIGURATION,
                    "--wait",
                    "180s",
                ]
                run(create, log=log, timeout=START_SECONDS)
            except BaseException:
                run([kind, "delete", "cluster", *named])
                raise

    def _kind(self) -> str:
        own = find("kind")
        if own:
            return own
        binaries.provide(binaries.select(["kind"]), self._cache, self._console)
        return str(self._cache.binaries / "kind")

    def _clusters(self, kind: str) -> list[str]:
        return run([kind, "get", "clusters"]).split()

    def _private(self) -> Path:
        """A kubeconfig of our own for kind to write, so that it never changes the user's current context."""
        return self._cache.root / "kind.kubeconfig"

    def _node_state(self) -> str:
        try:
            return run(["docker", "inspect", "--format", "{{.State.Status}}", NODE]).strip()
        except CommandFailedError:
            return ""

    def _wake(self, kind: str) -> bool:
        """Uses the cluster that is there; starts its node again when it was stopped."""
        if self._node_state() != "running":
            with self._console.step(f"starting the stopped node {NODE}"):
                run(["docker", "start", NODE])
        self._private().write_text(run([kind, "get", "kubeconfig", "--name", CLUSTER_NAME]))
        self._private().chmod(0o600)
        wait = ["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]
        run([self.kubectl(), f"--kubeconfig={self._private()}", *wait], timeout=150)
        self._console.say("the cluster is up")
        return False

    def _load(self, kind: str, image: Image) -> None:
        if not image.context:
            raise ProblemError(f"the image {image.name} is only for the local cluster")
        key = key_of(image, self._checkout.root)
        if self._key_of_built(image) != key:
            self._build(image, key)
        with self._console.step(f"loading {image.reference} into the cluster"):
            run([kind, "load", "docker-image", "--name", CLUSTER_NAME, image.reference])

    def _key_of_built(self, image: Image) -> str:
        label = f'{{{{index .Config.Labels "{KEY_LABEL}"}}}}'
        try:
            return run(["docker", "image", "inspect", "--format", label, image.reference]).strip()
        except CommandFailedError:
            return ""

    def _build(self, image: Image, key: str) -> None:
        log = self._cache.logs / f"image-{image.name}.log"
        with self._console.step(f"building {image.reference}", log), build_settings() as settings:
            if settings.folders:
                self._console.say("  folders of packages on this machine are not visible to a Docker build")
            arguments: list[str | Path] = []
            for name, path in settings.secrets.items():
                arguments += ["--secret", f"id={name},src={path}"]
            for name in PROXIES:
                arguments += ["--build-arg", name] if name in os.environ else []
            words = ["docker", "build", "--label", f"{KEY_LABEL}={key}", "--tag", image.reference, *arguments]
            run([*words, self._checkout.root / image.context], env={"DOCKER_BUILDKIT": "1"}, log=log)
