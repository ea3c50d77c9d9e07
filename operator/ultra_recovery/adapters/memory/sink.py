"""A sink that remembers."""

from __future__ import annotations

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.notices import Notice, Topic


class MemorySink:
    """Keeps every notice in order."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def publish(self, notice: Notice) -> None:
        """Keep it."""
        self.notices.append(notice)

    def of(self, topic: Topic) -> list[Notice]:
        """The notices of one topic."""
        return [notice for notice in self.notices if notice.topic is topic]

    def reasons(self, topic: Topic | None = None) -> list[Reason]:
        """The reasons in order, of one topic or of all."""
        return [notice.reason for notice in self.notices if topic in (None, notice.topic)]
