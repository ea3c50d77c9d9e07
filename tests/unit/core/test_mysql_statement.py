"""Statements as MySQL and MariaDB write them: what may be told of them holds no value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.core.mysql_statement import as_standard, is_dump
from ultra_recovery.core.statement import digest_of, is_upkeep, shape_of, verb_of


@pytest.mark.parametrize(
    ("statement", "standard"),
    [
        ('select * from t where a = "x"', "select * from t where a = ''"),
        ('select \'say "hi"\' from `odd"name`', 'select \'say "hi"\' from `odd"name`'),
        ('select /* " */ "a""b\\"c" -- "d"', 'select /* " */ \'\' -- "d"'),
        ('insert into t values ("cut short', "insert into t values (''"),
    ],
    ids=["value", "quotes inside other quotes", "comments", "cut by the server"],
)
def test_only_texts_in_double_quotes_are_rewritten(statement: str, standard: str):
    assert as_standard(statement) == standard


@pytest.mark.parametrize(
    ("statement", "dump"),
    [
        ("SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`", True),
        ("SELECT /*!40001 SQL_NO_CACHE */ `id` FROM `t`", True),
        ("select * from t", False),
    ],
)
def test_a_dump_is_told_by_its_first_words(statement: str, dump: bool):
    assert is_dump(statement) is dump


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_no_value_gets_into_a_digest(value: str):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    standard = as_standard(f'select * from t where secret = "{quoted}"')
    assert shape_of(standard) == "select * from t where secret = ?"
    assert digest_of(standard) == digest_of("select * from t where secret = 'other'")


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE t ADD c int", "optimize table t", "load data local infile '/x' into table t", "repair table t",
     "create index i on t (a)", "truncate table t", "analyze table t"],
)  # fmt: skip
def test_upkeep_is_not_ended_unless_it_is_allowed(statement: str):
    assert is_upkeep(verb_of(as_standard(statement)))
