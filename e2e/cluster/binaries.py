"""The programs of the cluster: Go modules built from source, or parts of Debian packages; cached by version."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.command import CommandFailedError, find, run
from e2e.cluster.console import Console
from e2e.cluster.layout import KUBERNETES, Cache
from e2e.cluster.local.machine import require_go
from e2e.cluster.problem import ProblemError

MODULE = Path(__file__).parent / "tools"


@dataclass(frozen=True)
class Program:
    """One program: where its source is, and its version."""

    name: str
    package: str
    module: str
    version: str

    @property
    def pinned(self) -> bool:
        """Whether the Go module in ``tools`` pins it; otherwise it is installed by its own version."""
        return self.module in ("k8s.io/kubernetes", "go.etcd.io/etcd/server/v3")


@dataclass(frozen=True)
class Packaged:
    """One program out of a Debian package that is unpacked, not installed: its server would be started."""

    name: str
    package: str
    path: str
    version: str = "debian"


def _kubernetes(name: str) -> Program:
    return Program(name, f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", KUBERNETES)


NODE_PROGRAMS = (
    Program("etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", "v3.6.4"),
    *(
        _kubernetes(name)
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubectl",
            "kubelet",
            "kube-proxy",
        )
    ),
    Program("coredns", "github.com/coredns/coredns", "github.com/coredns/coredns", "v1.15.0"),
)
EXTRAS: tuple[Program | Packaged, ...] = (
    Program("helm", "helm.sh/helm/v3/cmd/helm", "helm.sh/helm/v3", "v3.22.0"),
    Program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "github.com/yannh/kubeconform", "v0.8.0"),
    Program("kube-score", "github.com/zegl/kube-score/cmd/kube-score", "github.com/zegl/kube-score", "v1.20.0"),
    Program("kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind", "v0.30.0"),
    Packaged("promtool", "prometheus", "usr/bin/promtool"),
    Packaged("prometheus", "prometheus", "usr/bin/prometheus"),
    Packaged("blackbox_exporter", "prometheus-blackbox-exporter", "usr/bin/prometheus-blackbox-exporter"),
    Packaged("lua5.1", "lua5.1", "usr/bin/lua5.1"),
)
ALL: tuple[Program | Packaged, ...] = (*NODE_PROGRAMS, *EXTRAS)
PROGRAMS = {program.name: program for program in ALL}


def select(names: Sequence[str]) -> list[Program | Packaged]:
    """The programs with these names.

    Raises:
        ProblemError: A name is not known.
    """
    if unknown := [name for name in names if name not in PROGRAMS]:
        raise ProblemError(f"no such program: {', '.join(unknown)}", f"the known ones are {', '.join(PROGRAMS)}")
    return [PROGRAMS[name] for name in names]


def provide(programs: Sequence[Program | Packaged], cache: Cache, console: Console) -> None:
    """Builds the programs that the cache does not hold in the right version."""
    cache.binaries.mkdir(parents=True, exist_ok=True)
    wanted = [program for program in programs if not is_cached(program, cache)]
    if not wanted:
        return
    console.say(f"building {len(wanted)} of {len(programs)} programs into {cache.binaries} (minutes the first time)")
    for number, program in enumerate(wanted, 1):
        log = cache.logs / f"build-{program.name}.log"
        with console.step(f"[{number}/{len(wanted)}] building {program.name} {program.version}", log):
            if isinstance(program, Packaged):
                unpack(program, cache.binaries, log)
            else:
                build(require_go(), program, cache.binaries, log)


def is_cached(program: Program | Packaged, cache: Cache) -> bool:
    """Whether the cache holds the program; one without a version note is asked for the version built into it."""
    path = cache.binaries / program.name
    note = _note(cache.binaries, program)
    if not os.access(path, os.X_OK):
        return False
    if note.exists():
        return note.read_text().strip() == program.version
    if isinstance(program, Packaged) or _built_in(path, program.module) != program.version:
        return False
    note.write_text(f"{program.version}\n")
    return True


def _note(folder: Path, program: Program | Packaged) -> Path:
    return folder / f".{program.name}.version"


def _built_in(path: Path, module: str) -> str:
    try:
        lines = run(["go", "version", "-m", path]).splitlines()
    except CommandFailedError:
        return ""
    rows = (line.split() for line in lines)
    return next((row[2] for row in rows if row[:1] in (["mod"], ["dep"]) and row[1:2] == [module]), "")


def build(go: str, program: Program, folder: Path, log: Path) -> None:
    """Builds one program; the file appears in the folder only when it is complete."""
    part = folder / f".{program.name}.part"
    env = {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath -buildvcs=false"}
    if program.pinned:
        run([go, "build", "-ldflags", _stamp(), "-o", part, program.package], env=env, cwd=MODULE, log=log)
    else:
        target = folder / ".install"
        env["GOBIN"] = str(target)
        run([go, "install", "-ldflags", "-s -w", f"{program.package}@{program.version}"], env=env, log=log)
        (target / program.name).replace(part)
    part.replace(folder / program.name)
    _note(folder, program).write_text(f"{program.version}\n")


def unpack(program: Packaged, folder: Path, log: Path) -> None:
    """Takes one program out of its Debian package.

    Raises:
        ProblemError: This machine has no apt.
    """
    if find("apt-get") is None:
        what = f"{program.name} is taken from the Debian package {program.package}, and there is no apt-get here"
        raise ProblemError(what, f"put {program.name} on the PATH yourself, as {folder / program.name}")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # apt gives up its rights while it downloads, and must be able to write here all the same.
        Path(scratch).chmod(0o755)
        run(["apt-get", "update", "-q"], log=log)
        run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", program.package], cwd=Path(scratch), log=log)
        archive = next(Path(scratch).glob("*.deb"))
        run(["dpkg-deb", "--extract", archive, scratch], log=log)
        (Path(scratch) / program.path).replace(folder / program.name)
    _note(folder, program).write_text(f"{program.version}\n")


def _stamp() -> str:
    """Linker flags: no debug symbols, and the version that the API server and kubectl report."""
    variable = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return "-s -w " + " ".join(f"-X {variable}.{name}={value}" for name, value in values.items())
