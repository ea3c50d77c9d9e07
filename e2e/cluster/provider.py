"""Which cluster to use: decided in this file and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from e2e.cluster.problem import ProblemError

CLUSTER_NAME = "ultra-recovery"


class ProviderName(StrEnum):
    """The kinds of cluster there are."""

    CURRENT = "current"
    KIND = "kind"
    LOCAL = "local"


@dataclass(frozen=True)
class Choice:
    """A provider, and the sentence that says why it was taken."""

    provider: ProviderName
    reason: str


class Provider(Protocol):
    """What every kind of cluster can do."""

    def up(self) -> bool:
        """Makes the cluster usable; True when this call created it."""

    def down(self) -> None:
        """Removes what ``up`` created; safe when nothing is there."""

    def status(self) -> tuple[bool, Sequence[str]]:
        """Whether the cluster is usable, and lines for a reader."""

    def load(self, names: Sequence[str]) -> Mapping[str, str]:
        """Makes images available to the nodes; answers the reference of each."""

    def environment(self) -> Mapping[str, str]:
        """Variables that only this provider can offer to tests."""


def choose(requested: str, context: str | None, recorded: str | None, docker_answers: Callable[[], bool]) -> Choice:
    """Decides which provider to use.

    Args:
        requested: ``auto`` or the name of a provider, as the user gave it.
        context: The kubeconfig context that the user named, if any.
        recorded: The provider of the cluster that is already up for this checkout, if any.
        docker_answers: Asks whether a Docker engine is reachable; called only when the answer matters.

    Raises:
        ProblemError: The request names no provider, or asks for ``current`` without naming a context.
    """
    known = [name.value for name in ProviderName]
    if requested not in ("", "auto", *known):
        raise ProblemError(f"CLUSTER={requested} is not a provider", f"use one of: auto, {', '.join(known)}")
    if requested == ProviderName.CURRENT and not context:
        raise ProblemError(
            "CLUSTER=current needs the context to be named: tests create and delete objects in it",
            "set KUBE_CONTEXT to the context to use (kubectl config get-contexts lists them)",
        )
    if requested in known:
        return Choice(ProviderName(requested), "asked for")
    if context:
        return Choice(ProviderName.CURRENT, f"KUBE_CONTEXT names the context {context}")
    if recorded in known:
        return Choice(ProviderName(recorded), "it is the one this checkout brought up")
    if docker_answers():
        return Choice(ProviderName.KIND, "a Docker engine answers")
    return Choice(ProviderName.LOCAL, "no context is named and no Docker engine answers")
