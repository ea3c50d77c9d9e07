"""The acting half of an action, and what it acts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.run_status import EffectStatus
from ultra_recovery.core.action import Planner, Sighting
from ultra_recovery.core.objects import Run
from ultra_recovery.database_ports import Databases
from ultra_recovery.ports import Caller, Cluster, Jobs, Messenger, View


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The ports that actions act through.

    Attributes:
        image: our own image, for Jobs; "" where it is not known.
    """

    view: View
    cluster: Cluster
    jobs: Jobs
    caller: Caller
    messenger: Messenger
    databases: Databases
    image: str


@dataclass(frozen=True, slots=True)
class Errand:
    """One effect to be carried out or looked at, with the run and the rung it belongs to.

    Attributes:
        repeated: an earlier attempt may have done it, though nobody knows: its answer or its record was lost.
    """

    run: Run
    rung: Step
    effect: EffectStatus
    repeated: bool = False

    @property
    def namespace(self) -> str:
        """The run's namespace: nothing is done outside it."""
        return self.run.meta.key.namespace


class Performer(Planner, Protocol):
    """An action: it chooses purely and acts through ports."""

    async def observe(self, errand: Errand, tools: Toolbox) -> object | None:
        """What can be seen now of an effect that is open; None when the table already shows all.

        Raises:
            ApiError: it could not be seen.
        """

    async def perform(self, errand: Errand, tools: Toolbox) -> Sighting:
        """Carry out one effect whose intent was written, and say what came of it.

        Raises:
            ApiError: it was not done, or it is not known whether it was; the next look will tell.
            SpecError: it cannot be done as the spec says.
        """
