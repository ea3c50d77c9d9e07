"""Documents hold together: links lead somewhere, every page is found from the README, every reason exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ultra_recovery.apis.reasons import ConditionType, Reason

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
PAGES = sorted((PROJECT / "docs").rglob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
TABLE_OF_REASONS = re.compile(r"^\| ((?:`[A-Z][A-Za-z]+`(?:, )?)+) \|", re.MULTILINE)
REASON_PAGES = ("docs/how-to/why-nothing-was-done.md", "docs/reference/gates.md", "docs/reference/reasons.md")


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def links(page: Path) -> list[Path]:
    """Where the relative links of a page lead."""
    return [(page.parent / target).resolve() for target in LINK.findall(page.read_text())]


@pytest.mark.parametrize("page", [README, PROJECT / "CHANGELOG.md", *PAGES], ids=relative)
def test_every_relative_link_leads_somewhere(page: Path):
    assert [relative(target) for target in links(page) if not target.exists()] == []


def test_every_page_is_found_from_the_readme():
    found, waiting = {README}, [README]
    while waiting:
        fresh = {target for target in links(waiting.pop()) if target.suffix == ".md" and target.is_file()} - found
        found |= fresh
        waiting += fresh
    assert [relative(page) for page in PAGES if page not in found] == []


@pytest.mark.parametrize("page", REASON_PAGES)
def test_every_reason_in_a_table_of_reasons_exists(page: str):
    rows = TABLE_OF_REASONS.findall((PROJECT / page).read_text())
    words = {word for row in rows for word in re.findall(r"`([A-Za-z]+)`", row)}
    assert words
    assert words <= {*Reason, *ConditionType}


def test_the_page_on_doing_nothing_has_every_reason_that_a_gate_can_give():
    page = (PROJECT / "docs/how-to/why-nothing-was-done.md").read_text()
    gates = re.findall(r"`([A-Z][A-Za-z]+)`", (PROJECT / "docs/reference/gates.md").read_text())
    assert [word for word in dict.fromkeys(gates) if word in set(Reason) and f"`{word}`" not in page] == []
