"""The one error that a user is meant to read."""

from __future__ import annotations


class ProblemError(Exception):
    """Something the user can act on: what is wrong, and what to do about it."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  to fix: {self.remedy}" if self.remedy else self.what
