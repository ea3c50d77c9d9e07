"""What the layout promises, checked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = sorted((PROJECT / "operator").rglob("*.py"))
ALL = sorted(path for folder in ("operator", "tests", "e2e") for path in (PROJECT / folder).rglob("*.py"))
MOST_LINES = 300
BANNED_NAMES = {"utils", "helpers", "common", "manager", "misc"}


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", ALL, ids=relative)
def test_no_file_has_more_than_300_lines(path: Path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_the_source_root_is_not_a_package():
    """A package named `operator` would shadow Python's own."""
    assert not (PROJECT / "operator" / "__init__.py").exists()


def test_no_module_is_a_drawer_for_everything():
    assert [relative(path) for path in ALL if path.stem in BANNED_NAMES] == []


def test_every_package_says_what_it_is_for():
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    assert [relative(path) for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_production_does_not_know_that_it_is_tested():
    marks = ("pytest", "unittest", "mock")
    found = [relative(path) for path in SOURCES if any(f"import {mark}" in path.read_text() for mark in marks)]
    assert found == []
