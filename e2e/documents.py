"""What the documents tell their readers to type, in order, and what they show.

Blocks of ``sh``, ``bash``, ``console`` and ``yaml`` in README.md and docs/ are run by test_documents.py. HTML comments,
which readers do not see, say what a test needs beside them:

    <!-- run: COMMANDS -->       run these here too: what the reader has already, or what happens by itself
    <!-- file: NAME -->          the next YAML block is a file of this name in the reader's folder
    <!-- not run: REASON -->     the next block is not run, and why

What pages call `shop`, `ultra-demo` or NAMESPACE is the namespace of the walk; POLICY, BREAKER, RUN and STEP are those
of examples/web (walk.py has the list). In an answer, names of pods, moments and ages may differ, and `…` is anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")))
COMMANDS = ("sh", "bash", "console")
LANGUAGES = (*COMMANDS, "yaml")
MARKERS = ("run", "file", "not run")
_PIECE = re.compile(
    r"^<!-- (?P<marker>[a-z ]+):(?P<words>.*?)-->$|^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_PROMPT = "$ "


class DocumentError(ValueError):
    """A page has a marker that cannot be understood; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a page tells or shows.

    Attributes:
        page: the page, from the root of the project.
        line: where it begins.
        language: of the block; "run" for what a comment tells the test to run.
        text: the block.
        file: the name of the file that the block is, "" for none.
        reason: why it is not run, "" if it is.
    """

    page: str
    line: int
    language: str
    text: str
    file: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """Page and line, as tools print them."""
        return f"{self.page}:{self.line}"


class Shown(NamedTuple):
    """A command of a console block, and the lines that the page shows as its answer."""

    command: str
    answer: list[str]


def steps_of(page: Path) -> list[Step]:
    """All that a page tells or shows, in its order.

    Raises:
        DocumentError: a marker is unknown, says nothing, or has no block behind it.
    """
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(PROJECT))
    steps: list[Step] = []
    pending: dict[str, str] = {}
    end = 0
    for piece in _PIECE.finditer(text):
        line = text.count("\n", 0, piece.start()) + 1
        if pending and text[end : piece.start()].strip():
            raise DocumentError(f"{name}:{line}: a marker stands right before its block")
        end = piece.end()
        if marker := piece["marker"]:
            words = piece["words"].strip()
            if marker not in MARKERS or not words:
                raise DocumentError(f"{name}:{line}: a marker is one of {', '.join(MARKERS)}, with words behind it")
            if marker == "run":
                steps.append(Step(name, line, "run", words))
            else:
                pending[marker] = words
            continue
        if piece["language"] in LANGUAGES:
            file, reason = pending.get("file", ""), pending.get("not run", "")
            steps.append(Step(name, line, piece["language"], piece["text"], file, " ".join(reason.split())))
            pending = {}
    if pending:
        raise DocumentError(f"{name}: {', '.join(pending)}: there is no block behind it")
    return steps


def shown(text: str) -> list[Shown]:
    """The commands of a console block, each with its answer."""
    found: list[Shown] = []
    continues = False
    for line in text.splitlines():
        if line.startswith(_PROMPT):
            found.append(Shown(line.removeprefix(_PROMPT), []))
        elif continues:
            found[-1] = Shown(f"{found[-1].command}\n{line}", [])
        elif line.strip():
            found[-1].answer.append(line)
        continues = line.endswith("\\") and not found[-1].answer
    return found


_CHANGING = re.compile(
    r"""
    \d{4}-\d\d-\d\dT[\d:.]+Z                        # moments
    | (?<=-)[0-9a-f]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b   # pods of Deployments
    | (?<=-)[0-9a-f]{10}\b                          # Jobs of runs
    | (?<=-hand-)[bcdfghjklmnpqrstvwxz2456789]{5}\b # runs by hand
    | \b(?:\d+d)?(?:\d+h)?(?:\d+m)?\d+(?:s|m|h|d)\b # ages and durations
    | \b\d+(?:\.\d+){3}\b                           # addresses
    """,
    re.VERBOSE,
)
_ANY = "\0"


def pattern(line: str) -> re.Pattern[str]:
    """What an answer's line may look like: names, moments and ages differ each time, blanks do not matter."""
    words = [re.escape(word) for word in _CHANGING.sub(_ANY, line).replace("…", "\1").split()]
    return re.compile(r"\s+".join(words).replace(_ANY, r"\S+?").replace("\1", ".*") + r"\s*$")


def missing(answer: list[str], printed: str) -> list[str]:
    """The lines of a page's answer that were not printed, in this order, other lines between them or not."""
    left = iter(printed.splitlines())
    return [line for line in answer if not any(pattern(line).match(found.strip()) for found in left)]
