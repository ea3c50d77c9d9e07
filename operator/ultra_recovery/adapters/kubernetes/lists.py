"""Reading long lists piece by piece, as they arrive.

The API server's cache gives a list as a whole, whatever limit it was asked for. Ten thousand objects are some thirty
megabytes of text: read as one they would stop everything else for a second, and need a hundred megabytes for a moment.
Most of it is what the list before said, to the letter: that is recognised, and not read again.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from typing import Any

from ultra_recovery.core.parsing import without_managed_fields
from ultra_recovery.ports import Knows

PIECE = 65_536
"""Bytes of a list that are taken before others have their turn: some twenty objects. Much more may arrive at once."""
_DECODER = json.JSONDecoder()
_ITEMS = '"items":['
_METADATA = '"metadata":{"'
_LONGEST_START = 200
"""How far into an item its metadata may begin: after its apiVersion and kind, where it has them."""


class ListMemory:
    """Which version of which object each item of the last list was, by a digest of its text.

    Equal texts are equal objects; a text of which this is not known is read. The digest cannot be forced to collide,
    as a user who could would have the operator overlook a change.
    """

    def __init__(self) -> None:
        self._last: dict[bytes, tuple[str, str, str]] = {}
        self._next: dict[bytes, tuple[str, str, str]] = {}

    def begin(self) -> None:
        """A list begins; what one said that broke off is forgotten."""
        self._next = {}

    def end(self) -> None:
        """The list is complete: what it did not show is forgotten."""
        self._last, self._next = self._next, {}

    def recognise(self, text: str, knows: Knows) -> bool:
        """Whether the last list had this very item, and that version of the object is known."""
        if not self._last:
            return False
        digest = _digest(text)
        found = self._last.get(digest)
        if found is None or not knows(*found):
            return False
        self._next[digest] = found
        return True

    def remember(self, text: str, item: dict[str, Any]) -> None:
        """Take what was read."""
        meta = item.get("metadata") or {}
        if version := meta.get("resourceVersion"):
            self._next[_digest(text)] = (meta.get("namespace", ""), meta["name"], version)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class ListReader:
    """Takes the bytes of a list and gives its items, each as soon as it is complete, without `managedFields`.

    Args:
        memory: of the lists before.
        knows: what need not be given.
    """

    def __init__(self, memory: ListMemory, knows: Knows) -> None:
        self._memory = memory
        self._knows = knows
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._head = ""
        self._rest = ""
        self._between = ""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The items that these bytes complete, but those that are known.

        Raises:
            ValueError: it is not UTF-8.
        """
        self._rest += self._utf8.decode(data)
        if not self._head:
            begin = self._rest.find(_ITEMS)
            if begin < 0:
                return []
            end = begin + len(_ITEMS)
            self._head, self._rest = self._rest[:end], self._rest[end:]
        items, at = list[dict[str, Any]](), 0
        while True:
            begin = at + self._rest.startswith(",", at)
            if not self._rest.startswith("{", begin):
                break
            if end := self._end_of_known(begin):
                at = end
                continue
            try:
                item, at = _DECODER.raw_decode(self._rest, begin)
            except json.JSONDecodeError:
                # Its end has not arrived yet. What never ends is found out by `finish`.
                break
            self._memory.remember(self._rest[begin:at], item)
            items.append(without_managed_fields(item))
        self._rest = self._rest[at:]
        return items

    def _end_of_known(self, begin: int) -> int:
        """Where the item that begins here ends, if it is known; 0 if it has to be read.

        Items are taken to end where something follows that begins as they all do. Where that is inside of an item, its
        text up to there is no whole object, and so none that is remembered.
        """
        if not self._between:
            metadata = self._rest.find(_METADATA, begin, begin + _LONGEST_START)
            if metadata < 0:
                return 0
            self._between = "}," + self._rest[begin : metadata + len(_METADATA)]
        last = self._rest.find(self._between, begin)
        return last + 1 if last >= 0 and self._memory.recognise(self._rest[begin : last + 1], self._knows) else 0

    def finish(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The list's own fields, and the items that were not given yet, when all bytes have been fed.

        Raises:
            ValueError: it is not a list in JSON, or it was cut off.
        """
        self._rest += self._utf8.decode(b"", final=True)
        page = json.loads(self._head + self._rest.removeprefix(","))
        if not isinstance(page, dict):
            raise ValueError("not an object: something between us and the API server sent it")  # noqa: TRY004 - of what was sent
        # There are some only in a list that is not written as the API server does.
        return page, [without_managed_fields(item) for item in page.get("items") or ()]
