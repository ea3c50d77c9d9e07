"""What the machine itself must have: root, a few system packages, Go."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.command import find, run
from e2e.cluster.console import Console
from e2e.cluster.problem import ProblemError

OLDEST_GO = (1, 24)
PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
OTHER_CLUSTERS = "use another cluster instead: CLUSTER=kind with a Docker engine, or CLUSTER=current with KUBE_CONTEXT"


@dataclass(frozen=True)
class Need:
    """Something that must be on the machine, and the Debian packages that bring it."""

    name: str
    packages: tuple[str, ...]
    present: Callable[[], bool]


def program(name: str, *packages: str) -> Need:
    """The need for a program on the search path."""
    return Need(name, packages, lambda: find(name) is not None)


def plugin_folder() -> Path | None:
    """The folder of the network plugins, if they are installed."""
    return next((folder for folder in PLUGIN_FOLDERS if (folder / "bridge").exists()), None)


def _static_libc() -> bool:
    return any(Path("/usr").glob("lib*/**/libc.a"))


TO_RUN = (
    program("containerd", "containerd"),
    program("runc", "runc"),
    Need("network plugins", ("containernetworking-plugins",), lambda: plugin_folder() is not None),
    program("ip", "iproute2"),
    program("iptables", "iptables"),
    program("conntrack", "conntrack"),
    program("sysctl", "procps"),
    program("openssl", "openssl"),
)
TO_BUILD_IMAGES = (program("buildah", "buildah"),)
TO_BUILD_PAUSE = (program("gcc", "gcc", "libc6-dev"), Need("static C library", ("libc6-dev",), _static_libc))
TO_BUILD_BASE = (program("debootstrap", "debootstrap"),)


def require_root(user: int | None = None) -> None:
    """Refuses to go on without root.

    Raises:
        ProblemError: This process may not create network namespaces and mounts.
    """
    if (os.geteuid() if user is None else user) != 0:
        raise ProblemError(
            "the local cluster needs root: it creates network namespaces, mounts and control groups",
            f"run the same command as root, or {OTHER_CLUSTERS}",
        )


def missing(needs: Iterable[Need]) -> list[Need]:
    """The needs that the machine does not meet."""
    return [need for need in needs if not need.present()]


def explain(needs: Sequence[Need]) -> ProblemError:
    """The message for needs that cannot be met by installing packages here."""
    packages = " ".join(dict.fromkeys(package for need in needs for package in need.packages))
    return ProblemError(
        f"missing on this machine: {', '.join(need.name for need in needs)}; and there is no apt-get to install them",
        f"install what Debian calls {packages}, or {OTHER_CLUSTERS}",
    )


def provide(needs: Sequence[Need], console: Console, log: Path) -> None:
    """Installs the packages of unmet needs with apt, and nothing when all are met.

    Raises:
        ProblemError: There is no apt, or the packages do not bring what is needed.
    """
    lacking = missing(needs)
    if not lacking:
        return
    if find("apt-get") is None:
        raise explain(lacking)
    packages = list(dict.fromkeys(package for need in lacking for package in need.packages))
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with console.step(f"installing {' '.join(packages)}", log):
        run(["apt-get", "update", "-q"], env=quiet, log=log)
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], env=quiet, log=log)
    if still := missing(lacking):
        raise ProblemError(f"apt-get installed {' '.join(packages)}, yet {still[0].name} is not there", f"see {log}")


def go_version(text: str) -> tuple[int, int]:
    """The version in what ``go env GOVERSION`` prints; (0, 0) when there is none."""
    match = re.search(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def require_go(look: Callable[[str], str | None] = find, ask: Callable[[Sequence[str]], str] = run) -> str:
    """The path of a Go that is new enough.

    Raises:
        ProblemError: There is none.
    """
    oldest = ".".join(map(str, OLDEST_GO))
    go = look("go")
    if go is None:
        what = f"Go is missing: Kubernetes is built from source, with Go {oldest} or newer"
        raise ProblemError(what, _go_remedy(oldest))
    version = ask([go, "env", "GOVERSION"])
    if go_version(version) < OLDEST_GO:
        raise ProblemError(f"{go} is {version.strip()}, too old to build Kubernetes", _go_remedy(oldest))
    return go


def _go_remedy(oldest: str) -> str:
    return f"install Go {oldest} or newer and put it on the PATH, or {OTHER_CLUSTERS}"


def overlays(folder: Path) -> bool:
    """Whether layers can be mounted over each other in a folder: not where the folder is itself such a mount."""
    return run(["stat", "-f", "-c", "%T", folder]).strip() != "overlayfs"
