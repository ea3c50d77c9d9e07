"""One login on one server: what it takes, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ultra_recovery.apis.database import DatabaseTls, PoolFigures
from ultra_recovery.core.database_errors import Row

APPLICATION_NAME = "ultra-recovery-probe"
"""What sessions of probes are called on the server: actions never end them."""


@dataclass(frozen=True, slots=True)
class Access:
    """A checked address, and a user that may log in there.

    Attributes:
        host: a numeric address; it is never looked up.
        password: never in a repr, a message or a log.
        app_user: role of the application, whose sessions and limits count; None: those of all users.
        server_name: name that a certificate must carry.
        authority: certificates that the server's must be signed by, as PEM; None: any.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    app_user: str | None = None
    tls: DatabaseTls = field(default_factory=DatabaseTls)
    server_name: str = ""
    authority: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server showed.

    Attributes:
        read_only: it is in recovery, or takes no writes.
        figures: its connections, without those of a pooler.
    """

    read_only: bool
    figures: PoolFigures


class ServerFault(Exception):  # noqa: N818 - a fault of the server, not of ours
    """The server said no. Its own words are not in it.

    Attributes:
        row: what it means.
    """

    def __init__(self, row: Row) -> None:
        super().__init__(row.sentence)
        self.row = row
