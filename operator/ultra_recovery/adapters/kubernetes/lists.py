"""Reading long lists piece by piece, as they arrive.

The API server's cache gives a list as a whole, whatever limit it was asked for. Ten thousand objects are some thirty
megabytes of text: read as one they would stop everything else for a second, and need a hundred megabytes for a moment.
"""

from __future__ import annotations

import codecs
import json
from typing import Any

from ultra_recovery.core.parsing import without_managed_fields

_DECODER = json.JSONDecoder()
_ITEMS = '"items":['


class ListReader:
    """Takes the bytes of a list and gives its items, each as soon as it is complete, without `managedFields`."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._head = ""
        self._rest = ""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The items that these bytes complete.

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
            try:
                item, at = _DECODER.raw_decode(self._rest, begin)
            except json.JSONDecodeError:
                # Its end has not arrived yet. What never ends is found out by `finish`.
                break
            items.append(without_managed_fields(item))
        self._rest = self._rest[at:]
        return items

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
