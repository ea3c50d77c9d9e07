"""What a database Job is told, and what it answers: the one document that operator and Job share.

The operator resolves and checks every address before the Job is created; the Job connects to these addresses only and
looks no name up. Passwords are not in it: they are mounted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ultra_recovery.apis.action import Action
from ultra_recovery.apis.database import DatabaseTls, PoolFigures, Reconnect
from ultra_recovery.apis.meta import ApiType, Timestamp
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError

REQUEST_VARIABLE = "RECOVERY_REQUEST"
"""Environment variable with the request as JSON."""
SECRETS_FOLDER = "/etc/ultra-recovery/database"
"""Where the Job finds `probe`, `recovery` and `pooler`, each with username and password; `probe/ca.crt` if needed."""
MAX_EVIDENCE = 2048
"""Characters of the answer that a run keeps."""
MAX_SESSIONS = 12
"""Sessions that the answer names one by one; the rest are counted."""


class Engine(StrEnum):
    """Which kind of server."""

    POSTGRES = "postgres"
    MYSQL = "mysql"


class Part(StrEnum):
    """Which half of an action a Job carries out.

    DO: the action. UNDO: take back what DO set, at once. RESTORE_LATER: wait, then take back what DO set.
    """

    DO = "Do"
    UNDO = "Undo"
    RESTORE_LATER = "RestoreLater"


class Place(ApiType):
    """A checked address and a port."""

    host: Annotated[str, Field(max_length=64)] = Field(description="IP address, which is never looked up again.")
    port: int = Field(ge=1, le=65535, description="Port, 1 to 65535.")
    pod: str = Field(default="", description="Name of the pod behind it, where it is one.")

    @property
    def name(self) -> str:
        """How it is called in notes."""
        return self.pod or f"{self.host}:{self.port}"


class Room(ApiType):
    """What the server and all applications can bear, as the policies of the namespace declare it.

    Sum of pods x (size + maxOverflow) over all policies that depend on the breaker, each with its highest number of
    pods, must stay within the server's limit.
    """

    declared: int = Field(default=0, ge=0, description="Connections that all declared pools together may open.")
    undeclared: list[str] = Field(default_factory=list, description="Policies that do not declare their pool.")


class DatabaseRequest(ApiType):
    """What a database Job is to do."""

    id: str = Field(description="Identity of the effect: the Job's name. The server's advisory lock is keyed by it.")
    part: Part = Field(default=Part.DO, description="Which half of the action.")
    engine: Engine = Field(description="postgres or mysql.")
    namespace: str = Field(description="Namespace of the breaker.")
    breaker: str = Field(description="Name of the breaker.")
    action: Action = Field(description="The step's action, as the plan of the run has it.")
    servers: list[Place] = Field(description="Addresses of the server; none while it has no ready endpoint.")
    database: str = Field(description="Database that the application uses.")
    app_user: str | None = Field(default=None, description="Role whose sessions may be ended; none: no session is.")
    writable: bool = Field(default=True, description="Whether the server must accept writes.")
    tls: DatabaseTls = Field(default_factory=DatabaseTls, description="How connections are encrypted.")
    server_name: str = Field(default="", description="Name that a certificate must carry.")
    reconnect: Reconnect = Field(default_factory=Reconnect, description="How often to try.")
    has_recovery_role: bool = Field(default=False, description="Whether the Secret of the acting role is mounted.")
    poolers: list[Place] = Field(default_factory=list, description="Every replica of PgBouncer.")
    pooler_database: str = Field(default="", description="Name of the database in PgBouncer.")
    has_pooler: bool = Field(default=False, description="Whether the target names a pooler at all.")
    hooks: list[Place] = Field(default_factory=list, description="Every ready pod of the hook's Service.")
    recycle_seconds: int | None = Field(default=None, description="Age at which the application renews connections.")
    room: Room = Field(default_factory=Room, description="What the pool must not be raised beyond.")
    size_before: int | None = Field(default=None, description="raisePoolSize: the size that is raised, if still so.")
    size_after: int | None = Field(default=None, description="raisePoolSize: the size that it is raised to.")
    restore_after_seconds: int = Field(default=0, description="RestoreLater: how long to wait.")
    restore_at: Timestamp | None = Field(
        default=None, description="RestoreLater: when, in UTC: a pod that comes later than the first waits no longer."
    )
    deadline_seconds: int = Field(description="Seconds after which Kubernetes ends the Job.")

    @classmethod
    def parse(cls, text: str) -> DatabaseRequest:
        """Read the request that a Job was given.

        Raises:
            SpecError: it is none, or one of another version.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise SpecError(
                Reason.INVALID_SPEC, f"{REQUEST_VARIABLE} cannot be read: {error.error_count()} errors"
            ) from error


class Session(ApiType):
    """One session that was at fault. Never a statement with its values."""

    pid: int = Field(description="Process or connection id on the server.")
    start: str = Field(default="", description="When the session began: a pid alone may be used again.")
    app: str = Field(default="", description="Application name.")
    address: str = Field(default="", description="Address of the client.")
    age: int = Field(default=0, description="Seconds that it was idle, or ran.")
    done: str = Field(default="", description="What was done: terminated, cancelled, or why not.")
    query: str = Field(default="", description="Id or digest of its statement.")


class DatabaseAnswer(ApiType):
    """What a database Job says of its work, as its termination message."""

    changed: bool = Field(description="Whether anything was changed.")
    message: str = Field(description="What was found and done, in a sentence or two.")
    before: PoolFigures | None = Field(default=None, description="Figures before the work.")
    after: PoolFigures | None = Field(default=None, description="Figures after it.")
    sessions: list[Session] = Field(default_factory=list, description="Sessions that were at fault, the worst first.")
    more_sessions: int = Field(default=0, description="How many more there were.")
    offenders: dict[str, int] = Field(default_factory=dict, description="Sessions at fault by address of the client.")
    measures: list[str] = Field(default_factory=list, description="What was done, in order, with its result.")

    def to_text(self) -> str:
        """The answer as JSON of at most `MAX_EVIDENCE` bytes; sessions are left out from the end until it fits."""
        answer = self
        while True:
            text = json.dumps(_lean(answer.to_wire()), separators=(",", ":"), ensure_ascii=True)
            if len(text) <= MAX_EVIDENCE or not (answer.sessions or answer.measures):
                return text[:MAX_EVIDENCE]
            if answer.sessions:
                update: dict[str, Any] = {
                    "sessions": answer.sessions[:-1],
                    "more_sessions": answer.more_sessions + 1,
                }
            else:
                update = {"measures": answer.measures[:-1]}
            answer = answer.model_copy(update=update)


def _lean(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty parts: two kilobytes are little."""
    return {key: value for key, value in document.items() if value not in ([], {}, 0, "") or key == "changed"}


def offenders_of(evidence: str | None) -> dict[str, int]:
    """Sessions at fault by address of the client, as the evidence of a database step names them; {} for any other."""
    try:
        return dict(DatabaseAnswer.model_validate_json(evidence or "").offenders)
    except ValidationError:
        return {}
