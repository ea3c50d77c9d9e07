"""What MySQL and MariaDB write differently from the standard: texts in double quotes, and how a dump is told. Pure."""

from __future__ import annotations

import re

_DUMP = re.compile(r"\s*select\s*/\*!\d*\s*sql_no_cache\s*\*/", re.IGNORECASE)
_PARTS = re.compile(
    r"""
    (?P<text> "(?:[^"\\]|\\.|"")*(?:"|\Z) )
  | '(?:[^'\\]|\\.|'')*(?:'|\Z) | `[^`]*(?:`|\Z) | /\*.*?(?:\*/|\Z) | --[^\n]* | \#[^\n]*
    """,
    re.VERBOSE | re.DOTALL,
)


def as_standard(statement: str) -> str:
    """The statement with its values in single quotes only, where others take double quotes for those of a name."""
    return _PARTS.sub(lambda match: "''" if match.lastgroup == "text" else str(match.group()), statement)


def is_dump(statement: str) -> bool:
    """Whether mysqldump or mariadb-dump reads a whole table by it."""
    return _DUMP.match(statement) is not None
