"""What may be told of a statement: its first words and a digest, never a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.core.mysql_statement import DIGEST, MYSQLDUMP, digest_of, normalised, verb_of


@pytest.mark.parametrize(
    ("statement", "verb"),
    [
        ("select 1", "SELECT"),
        ("  /* app:orders */ SELECT * FROM t", "SELECT"),
        ("-- trace\nupdate t set a=1", "UPDATE"),
        ("# trace\ndelete from t", "DELETE"),
        ("(select 1) union (select 2)", "SELECT"),
        ("WITH x AS (select 1) select * from x", "WITH"),
        ("CALL nightly('secret')", "CALL"),
        ("alter table t add column c int", "ALTER TABLE"),
        ("ALTER ONLINE IGNORE TABLE t ADD INDEX (a)", "ALTER TABLE"),
        ("create or replace table x as select 1", "CREATE TABLE"),
        ("create unique index i on t (a)", "CREATE INDEX"),
        ("CREATE DEFINER=root@localhost PROCEDURE p() select 1", "CREATE"),
        ("optimize no_write_to_binlog table t", "OPTIMIZE TABLE"),
        ("load data local infile '/secret' into table t", "LOAD DATA"),
        ("truncate t", "TRUNCATE"),
        ("xa prepare 'order-17'", "XA PREPARE"),
        ("SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`", MYSQLDUMP),
        ("SELECT /*!40001 SQL_NO_CACHE */ `id`, `v` FROM `t`", MYSQLDUMP),
        ("drop secret_name table_name", "DROP"),
        ("'secret'", ""),
        ("", ""),
        (None, ""),
    ],
    ids=str,
)
def test_the_verb_is_made_of_words_of_the_language_only(statement: str | None, verb: str):
    assert verb_of(statement) == verb


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select * from t where id = 1", "SELECT *  from t\nwhere id=2"),
        ("select * from t where n = 'a''b\\'c'", 'select * from t where n = "x"'),
        ("select * from t where id in (1,2,3)", "select * from t where id in (4, 5)"),
        ("insert into t values (1,'a'),(2,'b')", "insert into t values (3,'c')"),
        ("select 0xdead, 1.5e-3, .5, b'01'", "select 1, 2, 3, 4"),
        ("select /* trace=17 */ 1", "select 1 -- trace=18"),
    ],
    ids=str,
)
def test_statements_that_differ_in_values_have_one_digest(one: str, other: str):
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("select a from t", "select b from t"), ("select * from t1", "select * from t2"), ("select 1", "select 1 from t")],
    ids=str,
)
def test_other_statements_have_other_digests(one: str, other: str):
    assert digest_of(one) != digest_of(other)


def test_a_statement_that_the_server_cut_short_still_has_a_digest():
    assert len(digest_of("insert into t values ('never ended")) == DIGEST
    assert digest_of("") == digest_of(None) == ""


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_no_value_gets_into_what_is_digested(value: str):
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    assert normalised(f"select * from t where secret = '{quoted}'") == "select * from t where secret = ?"


@given(st.text(max_size=200))
def test_any_text_is_read(text: str):
    assert verb_of(text).upper() == verb_of(text)
    digest_of(text)
