"""What libpq's words mean, and how a refused login is remembered."""

from __future__ import annotations

import pytest

from ultra_recovery.adapters.database.libpq import NO_TLS, explain
from ultra_recovery.adapters.database.logins import RefusedLogins
from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.core.database_errors import BAD_TLS, UNREACHABLE, FaultClass, fault_of_postgres

pytestmark = pytest.mark.looptime

TO = 'connection to server at "10.0.0.1", port 5432 failed: '
WHERE = ("shop", "db", "orders-db.shop.svc")
ROW = fault_of_postgres("28P01")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        pytest.param(f"{TO}FATAL:  28P01: password authentication failed", FaultClass.REFUSED, id="a code"),
        pytest.param(f"{TO}FATAL:  53300: sorry, too many clients already", FaultClass.EXHAUSTED, id="full"),
        pytest.param(f"{TO}SCHWERWIEGEND:  53300: schon zu viele", FaultClass.EXHAUSTED, id="in another language"),
        pytest.param(
            f"{TO}FATAL:  28P01: password\n{TO}FATAL:  28000: no pg_hba.conf entry, no encryption",
            FaultClass.REFUSED,
            id="the encrypted attempt tells",
        ),
        pytest.param(
            f"{TO}FATAL:  28000: no pg_hba.conf entry, SSL encryption\n{TO}FATAL:  3D000: database",
            FaultClass.REFUSED,
            id="the plain attempt tells",
        ),
        pytest.param(f"{TO}expected authentication request from server, but received H", FaultClass.OTHER, id="HTTP"),
        pytest.param(f"{TO}Connection refused", FaultClass.RETRYABLE, id="refused"),
        pytest.param("server closed the connection unexpectedly", FaultClass.RETRYABLE, id="closed"),
        pytest.param(f"{TO}SSL error: unexpected eof while reading", FaultClass.RETRYABLE, id="closed during TLS"),
    ],
)
def test_the_words_of_a_failed_login_have_a_class(words: str, kind: FaultClass):
    assert explain(words).kind is kind


def test_tls_that_cannot_be_had_is_told_apart_from_tls_that_failed():
    assert explain(f"{TO}server does not support SSL, but SSL was required") is NO_TLS
    assert explain(f'{TO}server certificate for "a" does not match host name "b"') is BAD_TLS
    assert explain(f"{TO}SSL error: certificate verify failed") is BAD_TLS
    assert explain("") is UNREACHABLE


async def test_a_refused_login_is_left_alone_for_longer_each_time():
    clock = FakeClock()
    logins, rests = RefusedLogins(clock), []
    for _ in range(3):
        logins.refuse(WHERE, ("probe", "wrong"), ROW)
        began = clock.boottime()
        while logins.refusal(WHERE, ("probe", "wrong")) is not None:
            await clock.sleep(1)
        rests.append(clock.boottime() - began)
    assert rests == [30, 60, 120]


async def test_another_password_or_place_is_tried_at_once_and_success_ends_the_row():
    clock = FakeClock()
    logins = RefusedLogins(clock)
    logins.refuse(WHERE, ("probe", "wrong"), ROW)
    assert logins.refusal(WHERE, ("probe", "wrong")) is ROW
    assert logins.refusal(WHERE, ("probe", "right")) is None
    assert logins.refusal(("shop", "other", "db"), ("probe", "wrong")) is None
    logins.accept(WHERE)
    assert logins.refusal(WHERE, ("probe", "wrong")) is None
    assert "wrong" not in str(vars(logins))
