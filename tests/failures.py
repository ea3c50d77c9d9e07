"""python -m tests.failures: what happens when something fails, as a page, from the tests that prove it.

A row is a marker on a test:

    @pytest.mark.failure(of="Operator", what="Its process is killed", see="…", bound="…")

Tests are read, not imported, so that the page needs no cluster, no database and no package of theirs.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGE = Path("docs/reference/failures.md")
FOLDERS = ("e2e", "tests")
PARTS = {
    "Operator": "The operator itself",
    "API server": "The API server and what is between",
    "Workload": "The workload",
    "Dependency": "What it depends on",
    "Limits": "Limits and people",
    "Input": "Wrong objects and settings",
}
HEAD = """\
<!-- Made by `python -m tests.failures` from the markers `failure` of the tests; do not edit. -->
# Failures

What happens when something fails: what you see, within which bound, and the test that proves it. A bound is what the
test asserts, or what a field with its default says. Every row is made from the test itself: no test, no row.
"""


class RowError(ValueError):
    """A marker is not a row; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One failure.

    Attributes:
        of: the part of the page, a key of PARTS.
        what: what fails.
        see: what one sees of it, and what the operator does.
        bound: within which time or number.
        test: the test that proves it, as pytest names it.
    """

    of: str
    what: str
    see: str
    bound: str
    test: str


def rows() -> list[Row]:
    """All rows, in the order of the parts and of the tests.

    Raises:
        RowError: a marker lacks something, or is on something that is no test.
    """
    found = [row for folder in FOLDERS for path in sorted((PROJECT / folder).rglob("*.py")) for row in _rows_of(path)]
    return sorted(found, key=lambda row: list(PARTS).index(row.of))


def page() -> str:
    """The page."""
    lines = [HEAD]
    everything = rows()
    for part, title in PARTS.items():
        lines += [f"## {title}\n", "| Failure | What you see | Bound | Test |", "|---|---|---|---|"]
        lines += [
            f"| {row.what} | {row.see} | {row.bound} | [{_name(row)}](../../{row.test.partition('::')[0]}) |"
            for row in everything
            if row.of == part
        ]
        lines.append("")
    lines.append(f"{len(everything)} rows. Alerts and what to do about them: [runbooks](../runbooks/README.md).")
    return "\n".join(lines) + "\n"


def _name(row: Row) -> str:
    """The test's name as a sentence."""
    return row.test.partition("::")[2].removeprefix("test_").replace("_", " ")


def _rows_of(path: Path) -> Iterator[Row]:
    if not path.name.startswith("test_") or "mark.failure(" not in (text := path.read_text(encoding="utf-8")):
        return
    for node in ast.walk(ast.parse(text)):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.failure":
                yield _row(path, str(getattr(node, "name", "")), decorator)


def _row(path: Path, name: str, marker: ast.Call) -> Row:
    test = f"{path.relative_to(PROJECT)}::{name}"
    try:
        words = {str(word.arg): ast.literal_eval(word.value) for word in marker.keywords}
        row = Row(test=test, **words)
    except (TypeError, ValueError) as error:
        raise RowError(f"{test}: {error}") from error
    if not name.startswith("test_") or row.of not in PARTS or marker.args:
        raise RowError(f"{test}: a row is a test, and `of` one of {', '.join(PARTS)}")
    if not all(isinstance(value, str) and value and "|" not in value for value in words.values()):
        raise RowError(f"{test}: what, see and bound are words, without a bar")
    return row


def main() -> int:
    """Write the page, or with --check only compare: 1 when it is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.failures", description="Write docs/reference/failures.md.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is out of date")
    options = parser.parse_args()
    target = PROJECT / PAGE
    if options.check:
        return 0 if target.is_file() and target.read_text(encoding="utf-8") == page() else 1
    target.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
