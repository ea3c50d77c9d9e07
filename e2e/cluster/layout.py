"""Where everything lies: the cache outside the checkout, the state of a local cluster, the links in the checkout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.34.4"


@dataclass(frozen=True)
class Checkout:
    """The folder of the project, and what a cluster leaves in it (all of it ignored by git)."""

    root: Path

    @classmethod
    def here(cls) -> Checkout:
        """The checkout that this file belongs to."""
        return cls(Path(__file__).resolve().parents[2])

    @property
    def folder(self) -> Path:
        return self.root / ".cluster"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def programs(self) -> Path:
        """Links to the kubectl (and helm) that fit the cluster."""
        return self.folder / "bin"

    @property
    def provider(self) -> Path:
        """The provider that the last ``up`` chose."""
        return self.folder / "provider"


@dataclass(frozen=True)
class State:
    """The folder of a running local cluster; removed by ``down``."""

    root: Path

    @property
    def pids(self) -> Path:
        """One ``NAME.pid`` for each process of the control plane and the node."""
        return self.root / "pids"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def audit_log(self) -> Path:
        """Every request of a service account, as JSON lines."""
        return self.root / "audit" / "audit.log"

    @property
    def keys(self) -> Path:
        return self.root / "pki"

    @property
    def socket(self) -> Path:
        return self.root / "containerd.sock"

    @property
    def provisioned(self) -> Path:
        """Exists once the cluster was ready for the first time: from then on it can be healed."""
        return self.root / "provisioned"

    @property
    def loaded(self) -> Path:
        """One file for each image in the node, with the key it was built from."""
        return self.root / "loaded"

    def kubeconfig(self, user: str) -> Path:
        return self.root / f"{user}.kubeconfig"


@dataclass(frozen=True)
class Cache:
    """What is expensive to make, kept between runs and keyed by version."""

    root: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Cache:
        """The cache that the environment names, or the default one in the home folder."""
        named = environ.get("ULTRA_CACHE")
        return cls(Path(named).expanduser().resolve() if named else Path.home() / ".cache" / "ultra-recovery")

    @property
    def binaries(self) -> Path:
        return self.root / f"bin-{KUBERNETES}"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def storage(self) -> Path:
        """Layers of the image builder, so that a change of code rebuilds in seconds."""
        return self.root / "buildah"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def temporary(self, provider: str) -> Path:
        """Exists while a cluster belongs to ``run`` calls and goes away with the last of them."""
        return self.guests(provider) / "temporary"

    def guests(self, provider: str) -> Path:
        """A folder with one file for each ``run`` call that is using a cluster."""
        return self.root / "guests" / provider

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def contents(self) -> list[Path]:
        """Everything of ours that is in the cache, and nothing else that a user may keep in the same folder."""
        patterns = (
            *("bin-v*", "images", "buildah", "logs", "guests", "lock", "kind-kubectl", "kind.kubeconfig"),
            "checkov-*",
        )
        return sorted(path for pattern in patterns for path in self.root.glob(pattern))

    @property
    def state(self) -> State:
        return State(self.root / "cluster")


def default_cache() -> Cache:
    """The cache for this process."""
    return Cache.of(os.environ)
