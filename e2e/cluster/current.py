"""The provider ``current``: a cluster that the user named, in which nothing but objects is created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from e2e.cluster.command import CommandFailedError, find, run
from e2e.cluster.console import Console
from e2e.cluster.images import IMAGES, VARIABLES, select
from e2e.cluster.problem import ProblemError


class CurrentCluster:
    """Somebody's cluster: used, never created and never removed."""

    def __init__(self, context: str, environ: Mapping[str, str], console: Console) -> None:
        self._context = context
        self._environ = environ
        self._console = console

    def up(self) -> bool:
        try:
            version = run([self.kubectl(), "--context", self._context, "version", "--output=yaml"], timeout=30)
        except CommandFailedError as problem:
            raise ProblemError(
                f"the cluster of the context {self._context} does not answer\n{problem.what}",
                "check KUBE_CONTEXT and KUBECONFIG (kubectl config get-contexts)",
            ) from None
        served = [line.strip() for line in version.splitlines() if "gitVersion" in line]
        shown = served[-1] if served else "no version"
        self._console.say(f"the cluster of the context {self._context} answers ({shown})")
        return False

    def down(self) -> None:
        self._console.say(f"the cluster of the context {self._context} is not ours: it stays as it is")

    def status(self) -> tuple[bool, Sequence[str]]:
        try:
            self.up()
        except ProblemError as problem:
            return False, [str(problem)]
        return True, [f"context {self._context}"]

    def load(self, names: Sequence[str]) -> Mapping[str, str]:
        return references(names, self._environ)

    def environment(self) -> Mapping[str, str]:
        return {}

    def kubeconfig(self) -> str:
        """The text of a kubeconfig with this context alone, so that a later change of context changes nothing here."""
        return run([self.kubectl(), "config", "view", "--minify", "--flatten", "--raw", "--context", self._context])

    def kubectl(self) -> Path:
        """The user's own kubectl."""
        own = find("kubectl")
        if own is None:
            raise ProblemError("kubectl is missing", "install kubectl and put it on the PATH")
        return Path(own)


def references(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The references that the user gave for images the cluster can pull.

    Raises:
        ProblemError: One is missing.
    """
    chosen = [image.name for image in select(names)]
    if foreign := [name for name in chosen if name not in VARIABLES]:
        raise ProblemError(f"the image {foreign[0]} is only for the local cluster")
    if lacking := [name for name in chosen if not environ.get(VARIABLES[name])]:
        wanted = "; ".join(
            f"{VARIABLES[name]} to the image built from {PurePosixPath(IMAGES[name].context, 'Dockerfile')}"
            for name in lacking
        )
        raise ProblemError(
            "nothing of this machine can be loaded into a cluster that only pulls images",
            f"push the images to a registry the cluster reaches, and set {wanted}",
        )
    return {name: environ[VARIABLES[name]] for name in chosen}
