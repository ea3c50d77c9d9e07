"""What is said of a statement: its first words and a digest, never a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.core.statement import digest_of, is_decision, is_upkeep, shape_of, verb_of


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("SELECT * FROM t WHERE name = 'O''Hara' AND id=42", "select * from t where name = ? and id=?"),
        ("select  1.5e3,\n -7, x7 from t2;", "select ?, ?, x7 from t2"),
        ("SELECT $1, $tag$secret ' text$tag$, E'a\\'b'", "select ?, ?, ?"),
        ("SELECT /* user 7 */ 1 -- password hunter2\n, 2", "select ? , ?"),
        ("SELECT * FROM t WHERE id IN (1, 2,3)", "select * from t where id in (?)"),
        ("INSERT INTO t VALUES (1,'a'), (2,'b')", "insert into t values (?)"),
        ("UPDATE t SET a = 'cut off in the midd", "update t set a = ?"),
        ('SELECT "Name" FROM "T 1"', 'select "name" from "t 1"'),
        ("", ""),
    ],
)
def test_values_become_question_marks(text: str, shape: str):
    assert shape_of(text) == shape


@given(st.integers(0, 10**9), st.text(st.characters(exclude_characters="\\\0"), max_size=50))
def test_statements_that_differ_in_values_only_have_one_digest(number: int, text: str):
    one = f"SELECT a FROM t WHERE b = {number} AND c = '{text.replace(chr(39), chr(39) * 2)}'"
    assert digest_of(one) == digest_of("select a from t where b = 1 and c = 'x'")


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str):
    assert len(digest_of(text)) in {0, 16}
    assert all(char.isupper() or char == " " for char in verb_of(text))


@pytest.mark.parametrize(
    ("text", "verb", "upkeep", "decision"),
    [
        ("select 1", "SELECT", False, False),
        ("/* app */ VACUUM FULL t", "VACUUM", True, False),
        ("create unique index concurrently i on t (a)", "CREATE INDEX", True, False),
        ("CREATE OR REPLACE FUNCTION f", "CREATE FUNCTION", True, False),
        ("COPY t TO STDOUT", "COPY", True, False),
        ("commit", "COMMIT", False, True),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION", False, True),
        ("'only a value'", "", False, False),
    ],
)
def test_the_first_words_say_what_may_be_done(text: str, verb: str, upkeep: bool, decision: bool):
    assert (verb_of(text), is_upkeep(verb), is_decision(verb)) == (verb, upkeep, decision)
