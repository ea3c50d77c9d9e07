"""What a checkout holds of its cluster: a kubeconfig, fitting programs, the name of the provider."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from e2e.cluster.layout import Checkout
from e2e.cluster.provider import Provider


class Cluster(Provider, Protocol):
    """A provider that can also say how its cluster is reached."""

    def kubeconfig(self) -> str:
        """The text of a kubeconfig for this cluster alone."""

    def kubectl(self) -> Path:
        """A kubectl of the right version."""


class Workspace:
    """The folder ``.cluster`` of a checkout."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    def recorded(self) -> str | None:
        """The provider that the last ``up`` of this checkout used."""
        try:
            return self._checkout.provider.read_text().strip() or None
        except OSError:
            return None

    def connect(self, provider: str, cluster: Cluster, extras: Sequence[Path]) -> None:
        """Writes the kubeconfig and the links.

        Args:
            provider: Remembered for the commands that follow.
            cluster: The cluster to reach.
            extras: Other programs to link, those that exist.
        """
        self._checkout.programs.mkdir(parents=True, exist_ok=True)
        write_privately(self._checkout.kubeconfig, cluster.kubeconfig())
        for program in (cluster.kubectl(), *extras):
            self.offer(program)
        self._checkout.provider.write_text(f"{provider}\n")

    def offer(self, program: Path) -> Path:
        """Links a program in the checkout and returns the link."""
        name = self._checkout.programs / program.name.removeprefix("kind-")
        name.parent.mkdir(parents=True, exist_ok=True)
        link(name, program)
        return name

    def disconnect(self) -> None:
        """Forgets the cluster; the links to programs stay useful."""
        self._checkout.kubeconfig.unlink(missing_ok=True)
        self._checkout.provider.unlink(missing_ok=True)

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Variables with which a program reaches this cluster and nothing else."""
        path = f"{self._checkout.programs}:{base.get('PATH', '')}"
        local = [part for part in (base.get("NO_PROXY") or base.get("no_proxy") or "").split(",") if part]
        direct = ",".join(dict.fromkeys([*local, "10.200.0.0/24", "10.96.0.0/16", "10.244.0.0/16", "127.0.0.1"]))
        return {"KUBECONFIG": str(self._checkout.kubeconfig), "PATH": path, "NO_PROXY": direct, "no_proxy": direct}


def link(name: Path, target: Path) -> None:
    """Points a link at a program, unless the program is that very link."""
    if not target.exists() or target.absolute() == name.absolute():
        return
    part = name.with_name(f".{name.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(name)


def write_privately(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, at once and whole."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
