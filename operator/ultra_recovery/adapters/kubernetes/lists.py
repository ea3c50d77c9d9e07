"""Reading long lists without holding up everything else.

The API server's cache gives a list as a whole, whatever limit it was asked for. Of ten thousand objects that is a
second of reading in one go, with all that is said of who wrote which field in memory at once.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

_DECODER = json.JSONDecoder()
_ITEMS = '"items":['
_STEP = 100
"""Objects between two turns for others."""


async def read_list(data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The list's own fields, and its items without `managedFields`, which nobody reads.

    Raises:
        ValueError: it is not a list in JSON.
    """
    text = data.decode()
    begin = text.find(_ITEMS)
    if begin < 0:
        # No items, or not as the API server writes them.
        page = json.loads(text)
        if not isinstance(page, dict):
            raise ValueError("not an object: something between us and the API server sent it")
        return page, [_slim(item) for item in page.get("items") or ()]
    at, items = begin + len(_ITEMS), list[dict[str, Any]]()
    while text[at : at + 1] != "]":
        item, at = _DECODER.raw_decode(text, at)
        items.append(_slim(item))
        at += text[at : at + 1] == ","
        if len(items) % _STEP == 0:
            await asyncio.sleep(0)  # noqa: TID251 - a turn for others, no time
    page = json.loads(text[: begin + len(_ITEMS)] + text[at:])
    return page, items


def _slim(item: dict[str, Any]) -> dict[str, Any]:
    item["metadata"].pop("managedFields", None)
    return item
