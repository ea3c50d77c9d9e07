"""The page of failures is what the tests that prove it say."""

from __future__ import annotations

from collections import Counter

from tests.failures import PAGE, PARTS, PROJECT, page, rows


def test_the_page_of_failures_is_up_to_date():
    """Otherwise: `python -m tests.failures`, or `make generate`."""
    assert (PROJECT / PAGE).read_text() == page()


def test_every_part_has_rows_and_no_row_is_there_twice():
    found = rows()
    assert {row.of for row in found} == set(PARTS)
    assert [what for what, count in Counter(row.what for row in found).items() if count > 1] == []
    assert len(found) >= 25


def test_a_row_is_short_enough_to_be_read_and_long_enough_to_say_something():
    for row in rows():
        assert all(10 <= len(text) <= 240 for text in (row.what, row.see)), row
        assert 4 <= len(row.bound) <= 120, row
