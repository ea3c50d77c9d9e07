"""What may be told of a statement of MySQL or MariaDB: its first words and a digest, never a value. Pure."""

from __future__ import annotations

import hashlib
import re

MAX_TEXT = 64 * 1024
"""Characters of a statement that are looked at; what lies behind does not change its digest."""
DIGEST = 16
"""Characters of a digest."""
MYSQLDUMP = "MYSQLDUMP"
"""Stands for the SELECT by which mysqldump and mariadb-dump read a whole table."""

_DUMP = re.compile(r"\s*select\s*/\*!\d*\s*sql_no_cache\s*\*/", re.IGNORECASE)
_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|/\*.*?(?:\*/|$)|--(?=\s|$)[^\n]*|\#[^\n]*)
    |(?P<value>
        [nNxXbB]?'(?:[^'\\]|\\.|'')*(?:'|$)
        |"(?:[^"\\]|\\.|"")*(?:"|$)
        |0[xXbB][0-9a-fA-F]+
        |(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w$])
     )
    |(?P<name>`(?:[^`]|``)*(?:`|$)|[\w@$]+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_REPEATED = ((re.compile(r"\?(?: , \?)+"), "?+"), (re.compile(r"\( \?\+? \)(?: , \( \?\+? \))+"), "( ?+ )"))
"""Lists of values and of rows: how long they are does not make another statement."""
_PAIRS = {
    "ALTER": frozenset({"DATABASE", "EVENT", "FUNCTION", "PROCEDURE", "SCHEMA", "SEQUENCE", "TABLE", "USER", "VIEW"}),
    "ANALYZE": frozenset({"TABLE"}),
    "CHECK": frozenset({"TABLE"}),
    "CREATE": frozenset({"DATABASE", "EVENT", "FUNCTION", "INDEX", "PROCEDURE", "TABLE", "TRIGGER", "USER", "VIEW"}),
    "DROP": frozenset({"DATABASE", "EVENT", "FUNCTION", "INDEX", "PROCEDURE", "TABLE", "TRIGGER", "USER", "VIEW"}),
    "FLUSH": frozenset({"TABLES"}),
    "LOAD": frozenset({"DATA", "XML"}),
    "LOCK": frozenset({"TABLES"}),
    "OPTIMIZE": frozenset({"TABLE"}),
    "RENAME": frozenset({"TABLE", "USER"}),
    "REPAIR": frozenset({"TABLE"}),
    "TRUNCATE": frozenset({"TABLE"}),
    "XA": frozenset({"COMMIT", "PREPARE", "RECOVER", "ROLLBACK"}),
}
"""Words that say little without the one that follows, and which words of the language may follow."""
_LOOK_AHEAD = 6
"""Tokens within which that word stands: OR REPLACE, ONLINE, UNIQUE and the like come between."""


def verb_of(statement: str | None) -> str:
    """The first words of a statement in capitals, such as SELECT, LOAD DATA or CREATE INDEX; "" when there are none."""
    text = (statement or "")[:MAX_TEXT]
    if _DUMP.match(text):
        return MYSQLDUMP
    words = []
    for kind, token in _tokens(text):
        if kind == "name":
            words.append(token.upper())
        elif words:
            break
        if len(words) > _LOOK_AHEAD:
            break
    if not words or not words[0].isascii() or not words[0].isalpha():
        return ""
    follows = next((word for word in words[1:] if word in _PAIRS.get(words[0], ())), "")
    return f"{words[0]} {follows}".rstrip()


def digest_of(statement: str | None) -> str:
    """A digest of a statement without its values: the same for all that differ in values only; "" for none."""
    text = (statement or "")[:MAX_TEXT]
    if not text.strip():
        return ""
    return hashlib.sha256(normalised(text).encode(errors="replace")).hexdigest()[:DIGEST]


def normalised(statement: str) -> str:
    """The statement with `?` for every value, without comments, in small letters: only for a digest, never to show."""
    parts = ["?" if kind == "value" else token.lower() for kind, token in _tokens(statement)]
    text = " ".join(parts)
    for pattern, short in _REPEATED:
        text = pattern.sub(short, text)
    return text


def _tokens(text: str) -> list[tuple[str, str]]:
    found = ((match.lastgroup or "other", match.group()) for match in _TOKEN.finditer(text))
    return [(kind, token) for kind, token in found if kind != "skip"]
