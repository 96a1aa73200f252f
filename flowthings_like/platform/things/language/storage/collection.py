"""One collection: its things, rooms and procedures, and the journal of what changed.

What is stored is what the root refers to, however many steps away. Nothing else keeps a thing: the registries
hold weak references, so CPython's reference counts do the collecting, and the id of a thing or room that is
deleted is in the next journal. One that refers to itself stays until Python's collector comes by.
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
"""The id of a new collection's root. 1 is no thing's, as in ThingsDB; but roots of older folders are."""

_OLD_ROOT = 1


class Collection:
    """A collection in memory.

    Attributes:
        name: as in the scope @collection:NAME.
        root: what `.` means in code.
        things, rooms: by id.
        procedures: closures by name.
        next_id: the id that the next thing or room will get. Ids are never used twice.
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
        """Makes the value the thing's property, as `.name = value` does, and returns what the property holds:
        a list or set that another property or a variable may hold is copied."""
        value = owned(value, thing)
        if thing.id is not None:
            self._changed.add(thing.id)
            self.assign_ids(value)
        disown(thing.props.get(name))
        thing.props[name] = value
        return value

    def mark_changed(self, thing: Thing) -> None:
        """The thing is about to change. Said before it does, so that no interruption can come in between."""
        if thing.id is not None:
            self._changed.add(thing.id)

    def mark_items_changed(self, container: List | ThingSet, added: Iterable[Value] = ()) -> None:
        """The list or set is about to change; `added` are its new items."""
        owner = None if container.owner is None else container.owner()
        if owner is not None and owner.id is not None:
            self._changed.add(owner.id)
            for value in added:
                self.assign_ids(value)

    def assign_ids(self, value: Value) -> None:
        """Gives an id to whatever in the value has none: something stored refers to it now."""
        waiting = [value]  # the next one last, so that ids are in the order of the code
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
        """Raises LookupError if another room of the collection has the name."""
        if name is not None and any(other.name == name and other is not room for other in self.rooms):
            raise errors.LookupError(f"collection `{self.name}` already has a room named `{name}`")
        room.name = name
        if room.id is not None:
            self._changed.add(room.id)

    def set_procedure(self, name: str, closure: Closure | None) -> None:
        """Stores the closure under the name, or with None deletes what is there."""
        if closure is None:
            del self.procedures[name]
        else:
            closure.bound = False
            self.procedures[name] = closure
        self._procedures_changed.add(name)

    # -- saving and loading it

    @property
    def has_garbage(self) -> bool:
        """Whether things or rooms have deleted since the last journal."""
        return bool(self._deleted or self._deleted_rooms)

    def take_journal(self) -> Journal:
        """What changed since this was last called."""
        deleted_rooms = _drained(self._deleted_rooms)
        deleted = _drained(self._deleted) | deleted_rooms
        changed_ids, self._changed = self._changed - deleted, set()
        changed, self._procedures_changed = self._procedures_changed, set()
        emits, self.emits = self.emits, []
        # Python's collector may come by at any moment: what it takes now is deleted in the next journal.
        saved = [row for id in sorted(changed_ids) if (row := self.dump(id)) is not None]
        current = {name: closure.source for name, closure in self.procedures.items()}
        procedures = {name: current.get(name) for name in sorted(changed)}
        return Journal(saved, deleted, deleted_rooms, procedures, emits, self.next_id)

    def dump(self, id: int) -> Row | None:
        """The thing or room as a row; None if it is deleted."""
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
        """The collection that its rows describe. What the root does not refer to is in the first journal as
        deleted; a row that refers to one that is missing holds nil there.

        Args:
            read_closure: makes a closure of its source.
            procedures: closures by name.
            next_id: the id that the next thing or room gets, if it is higher than any in the rows.
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
    """The list or set is about to be no property any more; a variable may go on with it."""
    if type(value) in (List, ThingSet):
        value.owner = None


def _drained(ids: deque[int]) -> set[int]:
    """The ids so far. The collector may add another at any moment, even while this runs."""
    return {ids.popleft() for _ in range(len(ids))}
