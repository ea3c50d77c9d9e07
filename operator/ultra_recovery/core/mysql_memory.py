"""How far max_connections of MySQL or MariaDB may be raised without asking the machine for too much. Pure.

The server does not say how much memory it may use, so the bound is taken from what it is set up to use: its shared
buffers, and for each connection the buffers that one statement may allocate.
"""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 2
"""Connections that are added may need, all at their worst, a half of what the server is set up for already."""
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the server is set up to use.

    Attributes:
        shared: bytes of its shared buffers.
        each: bytes that one connection may allocate.
        files: files and connections that the process may have open; 0: not known.
    """

    shared: int
    each: int
    files: int = 0


def refusal(before: int, after: int, footprint: Footprint) -> str:
    """Why the limit of connections must not be raised so far, as a sentence; "" when it may be."""
    if after <= before:
        return ""
    more = (after - before) * footprint.each
    present = footprint.shared + before * footprint.each
    if more * SHARE > present:
        return (
            f"{after - before} more connections may need {more // _MEBIBYTE} MiB, more than a half of the "
            f"{present // _MEBIBYTE} MiB that the server is set up to use"
        )
    # The other half is left to tables and logs.
    if footprint.files and after * 2 > footprint.files:
        return f"{after} connections are more than a half of the {footprint.files} files that the server may open"
    return ""
