"""Idempotency-Key: what a key stands for is stored in the objects themselves, so that it survives us."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ultra_recovery.apis.meta import IDEMPOTENCY_ANNOTATION
from ultra_recovery.core.objects import Meta
from ultra_recovery.rest.problems import Problem, ProblemType

_MOST_MARKS = 16


@dataclass(frozen=True, slots=True)
class Mark:
    """What is stored of a request with a key: who sent it and the key, as one digest, and the digest of its body."""

    key: str
    body: str

    def __str__(self) -> str:
        return f"{self.key}/{self.body}"


def mark_of(caller: str, key: str, action: str, body: Mapping[str, Any]) -> Mark:
    """The mark of a request. Keys of different callers never meet."""
    text = json.dumps([action, body], sort_keys=True, ensure_ascii=True)
    return Mark(_digest(f"{caller}\0{key}"), _digest(text))


def marks_in(meta: Meta) -> tuple[Mark, ...]:
    """The marks that an object carries."""
    pairs = (text.partition("/") for text in meta.annotations.get(IDEMPOTENCY_ANNOTATION, "").split(",") if text)
    return tuple(Mark(key, body) for key, _, body in pairs)


def with_mark(meta: Meta, mark: Mark) -> str:
    """The annotation with one more mark; the oldest beyond sixteen go."""
    kept = [item for item in marks_in(meta) if item != mark]
    return ",".join(str(item) for item in [*kept, mark][-_MOST_MARKS:])


def carries(meta: Meta, mark: Mark) -> bool:
    """Whether an object was made, or joined, by the request of this mark.

    Raises:
        Problem: the key was used for another request.
    """
    for known in marks_in(meta):
        if known.key == mark.key:
            if known.body != mark.body:
                raise reused()
            return True
    return False


def reused() -> Problem:
    """The key belongs to another request."""
    return Problem(ProblemType.KEY_REUSED, "this Idempotency-Key belongs to a request with another body: use a new key")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class KeyGuard:
    """Lets one request of a key in at a time."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    @contextmanager
    def hold(self, mark: Mark | None) -> Iterator[None]:
        """Hold the key of a request while it is answered; without a key there is nothing to hold.

        Raises:
            Problem: another request of the key is being answered.
        """
        if mark is None:
            yield
            return
        if mark.key in self._held:
            detail = "a request with this Idempotency-Key is being answered: wait for its answer"
            raise Problem(ProblemType.IN_FLIGHT, detail, headers={"Retry-After": "1"})
        self._held.add(mark.key)
        try:
            yield
        finally:
            self._held.discard(mark.key)
