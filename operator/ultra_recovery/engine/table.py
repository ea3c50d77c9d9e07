"""The table of watched objects: filled by the watch, corrected by lists, read by everybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ultra_recovery.core.objects import AnyObject, EndpointSlice, Key, Kind
from ultra_recovery.core.parsing import parse
from ultra_recovery.ports import Objects

Listener = Callable[[Key, AnyObject | None], None]
_MAX_TOMBSTONES = 10_000


def _number(version: str) -> int:
    """A resourceVersion as a number: within one object a larger one is newer, as every API server has it."""
    return int(version) if version.isdigit() else 0


class Table:
    """All watched objects by kind, namespace and name. Not thread-safe: used from the engine's loop alone.

    Watch events may come late, twice or never; lists may be older than the watch. Therefore nothing older replaces
    anything newer, and what a list does not show is removed only if the list is newer than the object.
    """

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[str, dict[str, AnyObject]]] = {kind: defaultdict(dict) for kind in Kind}
        self._slices: dict[tuple[str, str], dict[str, EndpointSlice]] = defaultdict(dict)
        self._gone: dict[Key, int] = {}
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(key, object or None)` after every change."""
        self._listeners.append(listener)

    def get(self, key: Key) -> AnyObject | None:
        """The object, or None when it does not exist."""
        return self._objects[key.kind].get(key.namespace, {}).get(key.name)

    def count(self, kind: Kind) -> int:
        """How many objects of a kind there are."""
        return sum(len(group) for group in self._objects[kind].values())

    def select(self, kind: Kind, namespace: str | None = None) -> Sequence[AnyObject]:
        """All objects of a kind, of one namespace or of all."""
        if namespace is not None:
            return list(self._objects[kind].get(namespace, {}).values())
        return [item for group in self._objects[kind].values() for item in group.values()]

    def slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        """The EndpointSlices of a Service."""
        found = self._slices.get((namespace, service))
        return list(found.values()) if found else ()

    def apply(self, kind: Kind, document: Mapping[str, Any], *, deleted: bool = False) -> None:
        """Take one event of the watch, or our own write."""
        meta = document["metadata"]
        key, text = Key(kind, meta.get("namespace", ""), meta["name"]), meta.get("resourceVersion", "")
        known, version = self.get(key), _number(text)
        if version <= self._gone.get(key, -1) or (known is not None and version < _number(known.meta.version)):
            return
        if deleted:
            self._remove(key, version)
        elif known is None or known.meta.version != text:
            # Parsed only now: most of a list is known already, and ten thousand runs are slow to read.
            item = parse(kind, document)
            self._gone.pop(key, None)
            self._objects[kind][key.namespace][key.name] = item
            self._index(known, item)
            self._tell(key, item)

    def keep(
        self, kind: Kind, present: AbstractSet[tuple[str, str]], version: str, namespace: str | None = None
    ) -> None:
        """Remove what a list that was made at `version` does not show: all but these namespaces and names.

        The list was of one namespace, or of all.
        """
        for item in self.select(kind, namespace):
            key = item.meta.key
            if (key.namespace, key.name) not in present and _number(item.meta.version) <= _number(version):
                self._remove(key, _number(version))

    def _remove(self, key: Key, version: int) -> None:
        if len(self._gone) >= _MAX_TOMBSTONES:
            self._gone.clear()
        self._gone[key] = version
        known = self._objects[key.kind].get(key.namespace, {}).pop(key.name, None)
        if known is not None:
            self._index(known, None)
            self._tell(key, None)

    def _index(self, old: AnyObject | None, new: AnyObject | None) -> None:
        """A slice may come to belong to another Service."""
        if isinstance(old, EndpointSlice):
            place = (old.meta.key.namespace, old.service)
            self._slices[place].pop(old.meta.key.name, None)
            if not self._slices[place]:
                del self._slices[place]
        if isinstance(new, EndpointSlice):
            self._slices[new.meta.key.namespace, new.service][new.meta.key.name] = new

    def _tell(self, key: Key, item: AnyObject | None) -> None:
        for listener in self._listeners:
            listener(key, item)


async def level(table: Table, objects: Objects, kind: Kind) -> None:
    """List a kind and make the table level with it. What changes meanwhile is newer than the list, and stays.

    Raises:
        ApiError: the list failed. Nothing is removed that it might have shown.
    """
    present = set[tuple[str, str]]()

    def take(document: Mapping[str, Any]) -> None:
        meta = document["metadata"]
        present.add((meta.get("namespace", ""), meta["name"]))
        table.apply(kind, document)

    def knows(namespace: str, name: str, version: str) -> bool:
        known = table.get(Key(kind, namespace, name))
        if known is None or known.meta.version != version:
            return False
        present.add((namespace, name))
        return True

    table.keep(kind, present, await objects.list(kind, take, knows))


async def level_now(table: Table, objects: Objects, kind: Kind, namespace: str) -> None:
    """Make the table level with one namespace as it is at this moment, whatever the watch has told so far.

    Raises:
        ApiError: the list failed. Nothing is removed that it might have shown.
    """
    present = set[tuple[str, str]]()

    def take(document: Mapping[str, Any]) -> None:
        present.add((namespace, document["metadata"]["name"]))
        table.apply(kind, document)

    table.keep(kind, present, await objects.list_now(kind, namespace, take), namespace)
