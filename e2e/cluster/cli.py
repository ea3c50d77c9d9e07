"""The command line: ``python3 -m e2e.cluster up | down | status | kubeconfig | load | images | tools | run``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from e2e.cluster import binaries
from e2e.cluster.console import Console
from e2e.cluster.current import CurrentCluster
from e2e.cluster.images import IMAGES, PROJECT, VARIABLES
from e2e.cluster.kind import KindCluster, docker_answers
from e2e.cluster.layout import Checkout, default_cache
from e2e.cluster.local.cluster import LocalCluster
from e2e.cluster.problem import ProblemError
from e2e.cluster.provider import ProviderName, choose
from e2e.cluster.session import Guests, InterruptedByUserError, Signals, execute, visit
from e2e.cluster.workspace import Cluster, Workspace


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = parser().parse_args(argv)
    signals = Signals()
    with signals.installed():
        try:
            return Commands(options, signals).dispatch()
        except ProblemError as problem:
            print(f"error: {problem}", file=sys.stderr, flush=True)
            return 1
        except InterruptedByUserError as interruption:
            print(interruption, file=sys.stderr, flush=True)
            return interruption.code


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    providers = ["auto", *(name.value for name in ProviderName)]
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--provider",
        default=os.environ.get("CLUSTER", "auto"),
        metavar="NAME",
        help=f"where the cluster comes from: {', '.join(providers)} (default: $CLUSTER, else auto)",
    )
    top = argparse.ArgumentParser(prog="python3 -m e2e.cluster", description="The cluster that tests and demos run on.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[shared])

    add("up", "start the cluster, or find and repair the one that is there")
    add("down", "remove the cluster and everything that belongs to it")
    add("status", "show whether the cluster is usable (exit code 1 when it is not)")
    add("kubeconfig", "print the path of the kubeconfig")
    add("images", "build the images of the project and make them available in the cluster")
    add("forget", "remove the cache of programs and images")
    load = add("load", "build single images and make them available in the cluster")
    load.add_argument("names", nargs="+", metavar="NAME", help=f"one of: {', '.join(IMAGES)}")
    tools = add("tools", "build extra programs and link them in .cluster/bin")
    tools.add_argument("names", nargs="+", metavar="NAME", help=f"one of: {', '.join(binaries.PROGRAMS)}")
    run = add("run", "run a command on a cluster; one created for it is removed afterwards")
    run.add_argument("--keep", action="store_true", help="leave the cluster up in any case")
    run.add_argument("--no-images", action="store_true", help="do not build and load the images of the project")
    run.add_argument("argv", nargs="+", metavar="CMD", help="the command, after --")
    return top


class Commands:
    """The commands, on the cluster that was chosen."""

    def __init__(self, options: argparse.Namespace, signals: Signals) -> None:
        self._options = options
        self._signals = signals
        self._console = Console(sys.stderr)
        self._cache = default_cache()
        self._checkout = Checkout.here()
        self._workspace = Workspace(self._checkout)

    def dispatch(self) -> int:
        answer: int = getattr(self, f"_{self._options.command}")()
        return answer

    def _up(self) -> int:
        provider, cluster = self._choose()
        self._connect(provider, cluster)
        self._cache.temporary(provider).unlink(missing_ok=True)
        print(f"export KUBECONFIG={self._checkout.kubeconfig} PATH={self._checkout.programs}:$PATH")
        return 0

    def _down(self) -> int:
        provider, cluster = self._choose()
        cluster.down()
        self._cache.temporary(provider).unlink(missing_ok=True)
        self._workspace.disconnect()
        return 0

    def _status(self) -> int:
        _, cluster = self._choose()
        usable, lines = cluster.status()
        print("\n".join(lines))
        return 0 if usable else 1

    def _kubeconfig(self) -> int:
        if not self._checkout.kubeconfig.exists():
            raise ProblemError("there is no kubeconfig yet", "python3 -m e2e.cluster up")
        print(self._checkout.kubeconfig)
        return 0

    def _images(self) -> int:
        return self._show_loaded(PROJECT)

    def _load(self) -> int:
        return self._show_loaded(self._options.names)

    def _show_loaded(self, names: Sequence[str]) -> int:
        _, cluster = self._choose()
        for name, reference in cluster.load(names).items():
            print(f"{name}\t{reference}")
        return 0

    def _forget(self) -> int:
        if self._cache.state.root.exists():
            raise ProblemError("a local cluster is still there", "python3 -m e2e.cluster down --provider local")
        for path in self._cache.contents():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return 0

    def _tools(self) -> int:
        programs = binaries.select(self._options.names)
        binaries.provide(programs, self._cache, self._console)
        for program in programs:
            print(self._workspace.offer(self._cache.binaries / program.name))
        return 0

    def _run(self) -> int:
        provider, cluster = self._choose()
        guests = Guests(self._cache.guests(provider))
        created = self._connect(provider, cluster)
        return visit(
            guests,
            self._cache.temporary(provider),
            created,
            self._options.keep,
            lambda: self._work(provider, cluster),
            lambda: self._leave(provider),
        )

    def _work(self, provider: ProviderName, cluster: Cluster) -> int:
        loaded = {} if self._options.no_images else cluster.load(PROJECT)
        environment = {
            **self._workspace.environment(os.environ),
            **cluster.environment(),
            **{f"ULTRA_{VARIABLES[name]}": reference for name, reference in loaded.items()},
            "ULTRA_PROVIDER": provider.value,
        }
        return execute(self._options.argv, environment, self._signals)

    def _leave(self, provider: ProviderName) -> None:
        """Takes the cluster down without a word, so that the command's own last line stays the last."""
        self._signals.deaf = True
        with (self._checkout.folder / "down.log").open("w") as log:
            self._build(provider, Console(log)).down()
        self._cache.temporary(provider).unlink(missing_ok=True)
        self._workspace.disconnect()

    def _connect(self, provider: ProviderName, cluster: Cluster) -> bool:
        created = cluster.up()
        self._workspace.connect(provider, cluster, [self._cache.binaries / "helm"])
        return created

    def _choose(self) -> tuple[ProviderName, Cluster]:
        context = os.environ.get("KUBE_CONTEXT") or None
        choice = choose(self._options.provider, context, self._workspace.recorded(), docker_answers)
        self._console.say(f"cluster: {choice.provider} ({choice.reason})")
        return choice.provider, self._build(choice.provider, self._console)

    def _build(self, provider: ProviderName, console: Console) -> Cluster:
        if provider is ProviderName.CURRENT:
            return CurrentCluster(os.environ["KUBE_CONTEXT"], os.environ, console)
        if provider is ProviderName.KIND:
            return KindCluster(self._cache, self._checkout, console)
        return LocalCluster(self._cache, self._checkout, console)
