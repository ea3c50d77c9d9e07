"""Why a server, or a pooler in front of it, could not do what it was asked. Adapters translate into this."""

from __future__ import annotations

from enum import StrEnum

from ultra_recovery.core.errors import UltraError


class FaultKind(StrEnum):
    """What kind of trouble it is, which decides what may be done about it.

    UNREACHABLE: no connection, or the server starts or stops; trying again helps.
    FROZEN: the machine accepts the connection, but the server does not go on with it in time.
    EXHAUSTED: one of its limits of connections is reached.
    CREDENTIALS: login, name of the database or encryption; trying again makes it worse.
    WRONG_NODE: it is there, but takes no writes.
    RIGHTS: the role may not do this, or something that it needs was never installed.
    LOST: the connection ended while something was under way; whether it was done is not known.
    REFUSED: the server or the pooler said no to the command itself.
    """

    UNREACHABLE = "Unreachable"
    FROZEN = "Frozen"
    EXHAUSTED = "Exhausted"
    CREDENTIALS = "Credentials"
    WRONG_NODE = "WrongNode"
    RIGHTS = "Rights"
    LOST = "Lost"
    REFUSED = "Refused"


class DatabaseFault(UltraError):  # noqa: N818 - it is the database's fault, not an error of ours
    """A database or a pooler could not do what it was asked.

    Attributes:
        kind: what kind of trouble.
        code: the server's own code (SQLSTATE or number), "" when there is none.
    """

    def __init__(self, kind: FaultKind, message: str, code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
