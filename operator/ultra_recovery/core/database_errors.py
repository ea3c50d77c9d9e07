"""What the errors of database servers mean: one table for PostgreSQL and PgBouncer, one for MySQL and MariaDB.

The first row whose code and text fit is taken. Pure data and look-ups; probes and Jobs judge by the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome


class FaultClass(StrEnum):
    """What kind of trouble an error is.

    RETRYABLE: the server is down, going, coming, or lost the connection. EXHAUSTED: it is there and full.
    REFUSED: user, password, database or rights; asking again is no use and may lock the user out. WRONG_NODE: it takes
    no writes. ENCRYPTION: the two sides do not agree on TLS. OTHER: it said no in some other way.
    """

    RETRYABLE = "Retryable"
    EXHAUSTED = "Exhausted"
    REFUSED = "Refused"
    WRONG_NODE = "WrongNode"
    ENCRYPTION = "Encryption"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a class of errors means for a breaker.

    Attributes:
        permanent: it stays so until somebody changes an object, or the server.
    """

    outcome: Outcome
    reason: Reason
    permanent: bool = False


VERDICTS = {
    FaultClass.RETRYABLE: Verdict(Outcome.FAILURE, Reason.PROBE_FAILED),
    FaultClass.EXHAUSTED: Verdict(Outcome.FAILURE, Reason.EXHAUSTED),
    # A wrong password is no proof that the server is broken: the breaker never moves by it.
    FaultClass.REFUSED: Verdict(Outcome.ERROR, Reason.CREDENTIALS_REFUSED, permanent=True),
    FaultClass.WRONG_NODE: Verdict(Outcome.FAILURE, Reason.WRONG_NODE),
    FaultClass.ENCRYPTION: Verdict(Outcome.ERROR, Reason.TARGET_INVALID, permanent=True),
    FaultClass.OTHER: Verdict(Outcome.FAILURE, Reason.PROBE_FAILED),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        code: the SQLSTATE, its first characters followed by "*", or the error number.
        kind: what it is.
        sentence: what is said of it; nothing of the server's own words is ever repeated.
        text: what the server's message must contain, in small letters; "" for any.
    """

    code: str
    kind: FaultClass
    sentence: str
    text: str = ""

    @property
    def verdict(self) -> Verdict:
        """What it means for a breaker."""
        return VERDICTS[self.kind]

    def fits(self, code: str, text: str) -> bool:
        """Whether an error with this code and message is meant."""
        same = code.startswith(self.code[:-1]) if self.code.endswith("*") else code == self.code
        return same and self.text in text.lower()


UNREACHABLE = Row("", FaultClass.RETRYABLE, "connection refused, lost or not reachable")
BAD_TLS = Row("", FaultClass.ENCRYPTION, "TLS with the server failed: its certificate or the protocol")
"""Faults of the network, for which no server has a code."""

_R, _E, _C, _W, _T = (
    FaultClass.RETRYABLE,
    FaultClass.EXHAUSTED,
    FaultClass.REFUSED,
    FaultClass.WRONG_NODE,
    FaultClass.ENCRYPTION,
)

POSTGRES_ROWS: tuple[Row, ...] = (
    Row("53300", _E, "the server has no connection left for ordinary users", "remaining connection slots"),
    Row("53300", _E, "the server has no connection left for anybody", "too many clients already"),
    Row("53300", _E, "the connection limit of the role is reached", "too many connections for role"),
    Row("53300", _E, "the connection limit of the database is reached", "too many connections for database"),
    Row("53300", _E, "the server has no connection left"),
    Row("08P01", _E, "PgBouncer has reached max_client_conn", "no more connections allowed"),
    Row("08P01", _C, "PgBouncer does not know the database or the user", "no such"),
    Row("08P01", _C, "PgBouncer refuses the user or its password", "auth"),
    Row("28P01", _C, "the server refuses the password of the user"),
    Row("28000", _T, "the server's pg_hba.conf refuses connections without TLS", "no encryption"),
    Row("28000", _C, "the server does not let the user in: the role, or pg_hba.conf"),
    Row("3D000", _C, "the database does not exist on the server"),
    Row("42501", _C, "the user lacks a right that is needed"),
    Row("25006", _W, "the server takes no writes"),
    Row("57P03", _R, "the server is starting up, shutting down or recovering"),
    Row("57P01", _R, "the server is shutting down, or somebody ended the connection"),
    Row("57P02", _R, "the server crashed"),
    Row("57P05", _R, "the connection was idle for too long"),
    Row("08*", _R, "the connection was lost or refused"),
)
"""SQLSTATEs of PostgreSQL and PgBouncer."""

MYSQL_ROWS: tuple[Row, ...] = (
    Row("1040", _E, "the server has no connection left"),
    Row("1203", _E, "the user has as many connections as max_user_connections allows"),
    Row("1226", _E, "the user has used up a limit of its account"),
    Row("1044", _C, "the user may not use the database"),
    Row("1045", _C, "the server refuses the user or its password"),
    Row("1049", _C, "the database does not exist on the server"),
    Row("1129", _C, "the server has blocked this client after too many failed connections"),
    Row("1130", _C, "the server does not accept connections from this client"),
    Row("1142", _C, "the user lacks a right that is needed"),
    Row("1227", _C, "the user lacks a right that is needed"),
    Row("1251", _C, "the server and the client agree on no way to log in"),
    Row("1698", _C, "the server refuses the user or its password"),
    Row("1862", _C, "the password of the user has expired"),
    Row("3118", _C, "the account of the user is locked"),
    Row("4151", _C, "the account of the user is locked"),
    Row("2026", _T, "TLS with the server failed: it has none, or its certificate is refused"),
    Row("3159", _T, "the server refuses connections without TLS"),
    Row("1290", _W, "the server takes no writes", "read"),
    Row("1792", _W, "the transaction takes no writes"),
    Row("1836", _W, "the server takes no writes"),
    Row("1053", _R, "the server is shutting down"),
    Row("1927", _R, "somebody ended the connection"),
    Row("2003", _R, "connection refused or not reachable"),
    Row("2006", _R, "the connection was lost"),
    Row("2013", _R, "the connection was lost"),
)
"""Error numbers of MySQL and MariaDB; those from 2000 to 2999 are the client's own."""


def fault_of_postgres(sqlstate: str | None, text: str = "") -> Row:
    """What an error of PostgreSQL or PgBouncer means. `text` is its message, which is only looked at."""
    return _find(POSTGRES_ROWS, sqlstate or "", text)


def fault_of_mysql(number: int, text: str = "") -> Row:
    """What an error of MySQL or MariaDB means. `text` is its message, which is only looked at."""
    return _find(MYSQL_ROWS, str(number), text)


def _find(rows: Sequence[Row], code: str, text: str) -> Row:
    known = next((row for row in rows if row.fits(code, text)), None)
    # Of a code from outside no more is repeated than a code can be.
    named = f" {code}" if code.isascii() and code.isalnum() and len(code) <= 5 else ""
    return known or Row(code, FaultClass.OTHER, f"the server answered with error{named}")
