"""What somebody may do, and where."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a token allows."""

    READ = "read"
    TRIGGER = "trigger"
    RESET = "reset"
    REPORT = "report"
    APPROVE = "approve"
    FORCE = "force"


class Identity(Protocol):
    """Somebody who was recognised."""

    @property
    def name(self) -> str:
        """Who that is, for runs and audit lines; never a token."""

    async def permitted(self, scope: Scope, namespaces: Collection[str], *, fresh: bool) -> frozenset[str]:
        """Those of the namespaces in which they have the scope.

        Args:
            scope: what they want to do.
            namespaces: where.
            fresh: no cached answer may be used.

        Raises:
            ApiError: the API server had to be asked, and did not answer.
        """

    async def holds(self, scope: Scope, *, fresh: bool) -> bool:
        """Whether they have the scope, wherever that may be, as far as that can be told. Raises as above."""


class Authenticator(Protocol):
    """One way to recognise somebody by a token.

    Attributes:
        remembers: what is known may be out of date by now: `review` is certain.
    """

    remembers: bool

    def known(self, token: bytes) -> Identity | None:
        """Whose token this is, without asking anybody."""

    async def review(self, token: bytes) -> Identity | None:
        """Whose token this is, by asking whoever can tell.

        Raises:
            ApiError: the API server did not answer.
        """
