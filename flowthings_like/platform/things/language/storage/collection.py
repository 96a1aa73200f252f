"""A collection in memory: its things, rooms and procedures, and the journal of what changed.

A thing is stored if the root refers to it, through any number of other things. Nothing else keeps it alive:
the registries hold weak references, so CPython's reference counts find what is no longer stored, and its id
is in the next journal. Things that refer to each other stay until Python's garbage collector runs.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..values.types import Closure, List, Room, Thing, ThingSet, Value, owned
from . import rows
from .journal import Emit, Journal
from .registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .rows import Row

__all__ = ["ROOT", "Collection", "disown"]

ROOT = 2
"""The id of the root of a new collection. As in ThingsDB, no thing has 1; roots in older folders have it."""

_OLD_ROOT = 1


class Collection:
    """A collection in memory.

    Attributes:
        name: the name in the scope @collection:NAME.
        root: the thing that `.` refers to in code.
        things, rooms: the stored ones, by id.
        procedures: closures by name.
        emits: the events that code has sent since the last journal.
        next_id: the id that the next thing or room gets. Ids are never used twice.
    """

    def __init__(self, name: str, root: int = ROOT) -> None:
        self.name = name
        self._deleted: deque[int] = deque()
        self._deleted_rooms: deque[int] = deque()
        self.things: Registry[Thing] = Registry(self._deleted.append)
        self.rooms: Registry[Room] = Registry(self._deleted_rooms.append)
        self.procedures: dict[str, Closure] = {}
        self._procedures_changed: set[str] = set()
        self._changed: set[int] = set()
        self.emits: list[Emit] = []
        self.next_id = ROOT + 1
        self.root = Thing(id=root)
        self.things.add(self.root)
        self._changed.add(root)

    # -- changing what is stored

    def assign(self, thing: Thing, name: str, value: Value) -> Value:
        """Set a property, as `.name = value` does, and return its value: a list or set is copied."""
        value = owned(value, thing)
        if thing.id is not None:
            self._changed.add(thing.id)
            self.assign_ids(value)
        disown(thing.props.get(name))
        thing.props[name] = value
        return value

    def mark_changed(self, thing: Thing) -> None:
        """Note that a thing changes. Call it before the change: an interruption in between loses nothing."""
        if thing.id is not None:
            self._changed.add(thing.id)

    def mark_items_changed(self, container: List | ThingSet, added: Iterable[Value] = ()) -> None:
        """Note that a list or set changes, before it does. `added` are its new items."""
        owner = None if container.owner is None else container.owner()
        if owner is not None and owner.id is not None:
            self._changed.add(owner.id)
            for value in added:
                self.assign_ids(value)

    def assign_ids(self, value: Value) -> None:
        """Give ids to the things and rooms in a value that something stored refers to now."""
        waiting = [value]  # the next one is last, so that ids are given in the order of the code
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind is Thing:
                if value.id is None:
                    self._number(value)
                    self.things.add(value)
                    waiting.extend(reversed(value.props.values()))
            elif kind is Room:
                if value.id is None:
                    self._number(value)
                    self.rooms.add(value)
            elif kind in (List, tuple, ThingSet):
                waiting.extend(reversed(value))

    def _number(self, value: Thing | Room) -> None:
        value.id = self.next_id
        self.next_id += 1
        self._changed.add(value.id)

    def rename_room(self, room: Room, name: str | None) -> None:
        """Rename a room. Raises LookupError if another room of the collection has the name."""
        if name is not None and any(other.name == name and other is not room for other in self.rooms):
            raise errors.LookupError(f"collection `{self.name}` already has a room named `{name}`")
        room.name = name
        if room.id is not None:
            self._changed.add(room.id)

    def set_procedure(self, name: str, closure: Closure | None) -> None:
        """Store a closure under a name; None deletes the procedure."""
        if closure is None:
            del self.procedures[name]
        else:
            closure.bound = False
            self.procedures[name] = closure
        self._procedures_changed.add(name)

    # -- saving and loading it

    @property
    def has_garbage(self) -> bool:
        """Whether things or rooms have been garbage-collected since the last journal."""
        return bool(self._deleted or self._deleted_rooms)

    def take_journal(self) -> Journal:
        """Return what changed since the last call."""
        deleted_rooms = _drained(self._deleted_rooms)
        deleted = _drained(self._deleted) | deleted_rooms
        changed_ids, self._changed = self._changed - deleted, set()
        changed, self._procedures_changed = self._procedures_changed, set()
        emits, self.emits = self.emits, []
        # The garbage collector may run at any moment: what it takes now is in the next journal.
        saved = [row for id in sorted(changed_ids) if (row := self.dump(id)) is not None]
        current = {name: closure.source for name, closure in self.procedures.items()}
        procedures = {name: current.get(name) for name in sorted(changed)}
        return Journal(saved, deleted, deleted_rooms, procedures, emits, self.next_id)

    def dump(self, id: int) -> Row | None:
        """Return the row of a thing or room; None if it is gone."""
        value: Thing | Room | None = self.things.get(id)
        if value is None:
            value = self.rooms.get(id)
        return None if value is None else rows.dump(value)

    @classmethod
    def load(
        cls,
        name: str,
        saved: Iterable[Row],
        read_closure: Callable[[str], Closure],
        procedures: Mapping[str, Closure],
        next_id: int,
    ) -> Collection:
        """Build the collection that the rows describe.

        What the root does not refer to is deleted with the first journal. A reference to a missing row
        becomes nil.

        Args:
            read_closure: makes a closure of its source.
            procedures: closures by name.
            next_id: the id of the next thing or room, unless the rows have a higher one.
        """
        saved = list(saved)
        collection = cls(name, _OLD_ROOT if any(row.id == _OLD_ROOT for row in saved) else ROOT)
        bodies: dict[int, bytes] = {}
        root = collection.root.id
        assert root is not None
        known: dict[int, Thing | Room] = {root: collection.root}
        for row in saved:
            if row.kind == rows.THING:
                known.setdefault(row.id, Thing(id=row.id))
                bodies[row.id] = row.body
            else:
                known[row.id] = Room(row.id, rows.load_room(row.body))
        for id, value in known.items():
            if isinstance(value, Room):
                collection.rooms.add(value)
            elif value is not collection.root:
                collection.things.add(value)
            if isinstance(value, Thing) and id in bodies:
                props = rows.load_thing(bodies[id], known, read_closure)
                value.props = {name: owned(prop, value) for name, prop in props.items()}
        collection.procedures = dict(procedures)
        collection.next_id = max(next_id, *(id + 1 for id in known))
        if root in bodies:
            collection._changed.clear()
        return collection


def disown(value: Value) -> None:
    """Note that a list or set stops being a property. A variable may still refer to it."""
    if type(value) in (List, ThingSet):
        value.owner = None


def _drained(ids: deque[int]) -> set[int]:
    """Take the ids so far. The garbage collector may add more at any moment, even while this runs."""
    return {ids.popleft() for _ in range(len(ids))}
