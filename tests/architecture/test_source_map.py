"""The source map in docs/explanation/architecture.md has every package, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = PROJECT / "operator/ultra_recovery"
TEXT = (PROJECT / "docs/explanation/architecture.md").read_text().partition("## Source map")[2]
OURS, AROUND = TEXT.split("\nAround it:\n")
ROW = re.compile(r"^\| `([\w/-]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def packages() -> set[str]:
    """All folders with something of ours in them."""
    folders = {path.parent for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return {str(folder.relative_to(SOURCE)) for folder in folders} - {"."}


def test_the_map_has_every_package_and_no_other():
    assert sorted(row[0] for row in ROW.findall(OURS)) == sorted(packages())


def test_every_folder_around_it_exists_and_none_with_sources_is_missing():
    named = {row[0] for row in ROW.findall(AROUND)}
    assert [name for name in named if not (PROJECT / name).is_dir()] == []
    sources = {path.relative_to(PROJECT).parts[0] for path in PROJECT.glob("*/**/*.py") if ".venv" not in path.parts}
    assert sources - {"operator", "build", "dist"} <= named | {"helm"}


def test_every_module_beside_the_packages_is_spoken_of():
    words = [pattern.replace("*", ".*") for pattern in re.findall(r"`([\w*]+\.py)`", OURS)]
    modules = [path.name for path in SOURCE.glob("*.py") if path.name != "__init__.py"]
    assert [name for name in modules if not any(re.fullmatch(word, name) for word in words)] == []
