"""`ultra-recovery generate sql`: names are quoted, whatever they hold."""

from __future__ import annotations

import pytest

from ultra_recovery.cli import main
from ultra_recovery.generate_sql import script

NAMES = {"database": "orders", "app_user": "orders", "role": "recovery", "probe_role": "recovery_probe"}


@pytest.mark.parametrize(
    ("name", "identifier", "literal"),
    [
        ("orders", '"orders"', "('orders', 'orders')"),
        ('a"; DROP', '"a""; DROP"', "('orders', 'a\"; DROP')"),
        ("it's", '"it\'s"', "('orders', 'it''s')"),
        ("back\\slash", '"back\\slash"', "('orders',  E'back\\\\slash')"),
        ("@role@", '"@role@"', "('orders', '@role@')"),
    ],
)
def test_names_are_quoted_as_identifiers_and_as_text(name: str, identifier: str, literal: str):
    text = script("postgres", {**NAMES, "database": name})
    assert f"\\connect {identifier}\n" in text
    assert f"VALUES {literal} ON CONFLICT" in text


def test_the_script_is_printed_and_names_no_password(capsys: pytest.CaptureFixture[str]):
    assert main(["generate", "sql", "--engine", "postgres", "--database", "orders", "--app-user", "orders"]) == 0
    printed = capsys.readouterr().out
    assert printed == script("postgres", NAMES)
    assert "PASSWORD '" not in printed


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 64], ids=["empty", "two lines", "too long"])
def test_a_name_that_no_server_takes_is_refused(name: str):
    with pytest.raises(SystemExit) as left:
        main(["generate", "sql", "--engine", "postgres", "--database", name, "--app-user", "orders"])
    assert left.value.code == 2
