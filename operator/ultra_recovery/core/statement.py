"""What may be said of a statement: its first words, and a digest of its shape. Never a value of it. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

MAX_TEXT = 8192
"""Characters of a statement that are read; servers cut it themselves, usually far earlier."""
_DIGEST = 16

_SHAPE = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) | \#[^\n]*\n )
  | (?P<quoted> [eEbBxXnN]?'(?:[^'\\]|\\.|'')*(?:'|\Z) )
  | (?P<dollar> \$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|\Z) )
  | (?P<name> "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
  | (?P<parameter> \$[0-9]+ | \? | :[A-Za-z_]\w* | %s )
  | (?P<number> (?<![\w.])[+-]?(?:0[xX][0-9A-Fa-f]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+) )
    """,
    re.VERBOSE | re.DOTALL,
)
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"\(\?\)(?:\s*,\s*\(\?\))+")
_WORD = re.compile(r"[A-Za-z]+")
_TWO_WORDS = frozenset({"CREATE", "ALTER", "DROP", "PREPARE", "COMMIT", "REFRESH", "OPTIMIZE", "LOAD"})
_FILLING = frozenset({"UNIQUE", "OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "ONLINE", "OFFLINE", "FULLTEXT"})


def shape_of(text: str) -> str:
    """The statement in small letters without comments, and with a question mark for each value or list of values."""
    bare = _SHAPE.sub(_replace, text[:MAX_TEXT])
    line = " ".join(bare.split()).rstrip("; ").lower()
    listed: str = _LIST.sub("(?)", line)
    shape: str = _ROWS.sub("(?)", listed)
    return shape


def _replace(match: re.Match[str]) -> str:
    if match.lastgroup == "comment":
        return " "
    return str(match.group()) if match.lastgroup == "name" else "?"


def digest_of(text: str) -> str:
    """A short digest that statements have in common which differ in their values only; "" for none."""
    shape = shape_of(text)
    return sha256(shape.encode(errors="replace")).hexdigest()[:_DIGEST] if shape else ""


def verb_of(text: str) -> str:
    """The first word of a statement in capitals, or the first two where only both say what it does: CREATE INDEX."""
    words: list[str] = [str(word).upper() for word in _WORD.findall(shape_of(text[:1024]))[:6]]
    if not words:
        return ""
    if words[0] not in _TWO_WORDS:
        return words[0]
    second = next((word for word in words[1:] if word not in _FILLING), "")
    return f"{words[0]} {second}".rstrip()


_UPKEEP = frozenset(
    {
        *("VACUUM", "ANALYZE", "REINDEX", "CLUSTER", "COPY", "CREATE", "ALTER", "DROP", "TRUNCATE", "REFRESH"),
        *("GRANT", "REVOKE", "COMMENT", "IMPORT", "SECURITY", "CHECKPOINT", "OPTIMIZE", "REPAIR", "CHECK"),
        *("LOAD", "RENAME", "BACKUP", "FLUSH"),
    }
)
_DECISIONS = frozenset({"COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE", "XA"})


def is_upkeep(verb: str) -> bool:
    """Whether a statement changes the schema, moves data in bulk or tends tables: slow by nature, costly to lose."""
    return verb.partition(" ")[0] in _UPKEEP


def is_decision(verb: str) -> bool:
    """Whether a statement ends a transaction: cut off there, nobody knows whether it was committed."""
    return verb.partition(" ")[0] in _DECISIONS
