"""The reset annotation: any value fires once, whoever applies it again, and none fires on an object seen first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KEPT_VALUES = 8
MAX_VALUE = 256


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """What the annotation asks for.

    Attributes:
        fire: the reset is to be carried out.
        handled: the values that count as handled from now on, oldest first.
    """

    fire: bool
    handled: tuple[str, ...]


def read_reset(value: str | None, handled: Sequence[str], *, first_visit: bool) -> ResetRequest:
    """Decide on the annotation's value.

    The value is opaque. An object that is seen for the first time adopts it without firing: a manifest re-created
    from Git, with yesterday's annotation in it, must not act.
    """
    kept = tuple(handled)
    if value is None or not value.strip():
        return ResetRequest(False, kept)
    value = value[:MAX_VALUE]
    if value in kept:
        return ResetRequest(False, kept)
    return ResetRequest(not first_visit, (*kept, value)[-KEPT_VALUES:])
