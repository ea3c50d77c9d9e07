"""What errors of database servers mean, and how long a refused login rests."""

from __future__ import annotations

import pytest

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.database_errors import (
    MYSQL_ROWS,
    POSTGRES_ROWS,
    FaultClass,
    fault_of_mysql,
    fault_of_postgres,
)
from ultra_recovery.core.login_pause import LONGEST, after_refusal
from ultra_recovery.core.probe import Outcome

SLOTS = "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute"


@pytest.mark.parametrize(
    ("code", "text", "kind", "part"),
    [
        pytest.param("53300", SLOTS, FaultClass.EXHAUSTED, "ordinary users", id="slots reserved"),
        pytest.param("53300", "sorry, too many clients already", FaultClass.EXHAUSTED, "anybody", id="all slots"),
        pytest.param("53300", 'too many connections for role "a"', FaultClass.EXHAUSTED, "role", id="role"),
        pytest.param("53300", 'too many connections for database "a"', FaultClass.EXHAUSTED, "database", id="database"),
        pytest.param("53300", "zu viele Verbindungen", FaultClass.EXHAUSTED, "no connection left", id="translated"),
        pytest.param("08P01", "no more connections allowed", FaultClass.EXHAUSTED, "max_client_conn", id="pooler full"),
        pytest.param("08P01", "no such user: x", FaultClass.REFUSED, "does not know", id="pooler user"),
        pytest.param("28P01", "password", FaultClass.REFUSED, "password", id="password"),
        pytest.param("28000", "no pg_hba.conf entry, no encryption", FaultClass.ENCRYPTION, "TLS", id="TLS demanded"),
        pytest.param("28000", "role does not exist", FaultClass.REFUSED, "role", id="role unknown"),
        pytest.param("3D000", "", FaultClass.REFUSED, "database", id="database unknown"),
        pytest.param("42501", "", FaultClass.REFUSED, "right", id="right"),
        pytest.param("25006", "", FaultClass.WRONG_NODE, "writes", id="read-only"),
        pytest.param("57P03", "", FaultClass.RETRYABLE, "starting", id="starting"),
        pytest.param("57P01", "", FaultClass.RETRYABLE, "ended", id="ended"),
        pytest.param("08006", "", FaultClass.RETRYABLE, "lost", id="lost"),
        pytest.param("XX000", "canary", FaultClass.OTHER, "error XX000", id="unknown"),
        pytest.param(None, "canary", FaultClass.OTHER, "error", id="no code"),
        pytest.param("'; DROP TABLE", "canary", FaultClass.OTHER, "error", id="no code at all"),
    ],
)
def test_an_error_of_postgres_has_its_class(code: str | None, text: str, kind: FaultClass, part: str):
    row = fault_of_postgres(code, text)
    assert row.kind is kind
    assert part in row.sentence
    assert "canary" not in row.sentence
    assert "DROP" not in row.sentence


@pytest.mark.parametrize(
    ("number", "text", "kind"),
    [
        pytest.param(1040, "", FaultClass.EXHAUSTED, id="full"),
        pytest.param(1203, "", FaultClass.EXHAUSTED, id="user full"),
        pytest.param(1226, "", FaultClass.EXHAUSTED, id="account used up"),
        pytest.param(1045, "", FaultClass.REFUSED, id="password"),
        pytest.param(1044, "", FaultClass.REFUSED, id="rights on the database"),
        pytest.param(1049, "", FaultClass.REFUSED, id="database unknown"),
        pytest.param(1129, "", FaultClass.REFUSED, id="client blocked"),
        pytest.param(1290, "running with the --read-only option", FaultClass.WRONG_NODE, id="read-only"),
        pytest.param(1290, "running with the --secure-file-priv option", FaultClass.OTHER, id="another option"),
        pytest.param(1053, "", FaultClass.RETRYABLE, id="shutting down"),
        pytest.param(2013, "", FaultClass.RETRYABLE, id="lost"),
        pytest.param(2026, "", FaultClass.ENCRYPTION, id="TLS"),
        pytest.param(9999, "", FaultClass.OTHER, id="unknown"),
    ],
)
def test_an_error_of_mysql_has_its_class(number: int, text: str, kind: FaultClass):
    assert fault_of_mysql(number, text).kind is kind


@pytest.mark.parametrize("kind", FaultClass)
def test_only_what_the_server_says_of_itself_moves_a_breaker(kind: FaultClass):
    rows = [row for row in (*POSTGRES_ROWS, *MYSQL_ROWS) if row.kind is kind]
    moves = kind not in (FaultClass.REFUSED, FaultClass.ENCRYPTION)
    assert all((row.verdict.outcome is Outcome.FAILURE) is moves for row in rows)
    assert all(row.verdict.permanent is not moves for row in rows)


def test_exhausted_and_wrong_node_are_reasons_of_their_own():
    assert fault_of_postgres("53300").verdict.reason is Reason.EXHAUSTED
    assert fault_of_mysql(1836).verdict.reason is Reason.WRONG_NODE


def test_a_refused_login_rests_twice_as_long_each_time_and_never_longer_than_ten_minutes():
    pause, rests = None, []
    for _ in range(7):
        pause = after_refusal(pause, 1000.0)
        rests.append(pause.until - 1000.0)
    assert rests == [30, 60, 120, 240, 480, LONGEST, LONGEST]
