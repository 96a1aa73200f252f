"""The state of one account's database in memory: its collections, users and tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ....wire.things import errors as things_errors
from ....wire.things.scopes import is_name
from ....wire.things.values import pack, unpack
from ..language import Collection, Journal, Row, load_collection
from ..users import User
from .tables import Change, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIRST_COLLECTION", "CollectionEntry", "State", "Token"]

FIRST_COLLECTION = "stuff"
"""The collection that every database begins with."""

_THINGSDB = "@thingsdb"
_PROCEDURE = "procedure"


@dataclass
class CollectionEntry:
    """A collection, and what the node stores about it.

    Attributes:
        number: its key in the tables. It stays when the name changes, and is not used again while the node
            runs.
        created: seconds since the epoch.
        zone: the name of its time zone.
        collection: what code sees.
        deep: how many levels of things a result shows, unless the code says otherwise.
        node_deep: the same for the scope @node. It is stored with @thingsdb and unused elsewhere.
    """

    number: int
    created: int
    zone: str
    collection: Collection
    deep: int = 1
    node_deep: int = 1

    @property
    def scope(self) -> str:
        """The scope's name, as the protocol writes it."""
        return f"@collection:{self.collection.name}"

    def dump(self, account: str) -> Change:
        """Return the row of the collection itself."""
        body = {
            "created": self.created,
            "zone": self.zone,
            "next_id": self.collection.next_id,
            "deep": self.deep,
            "node_deep": self.node_deep,
        }
        return Change("collections", (self.number,), (account, self.collection.name, pack(body)))

    def changes(self, account: str, journal: Journal) -> list[Change]:
        """Return the rows that change because of what happened in the collection."""
        found = [Change("values", (self.number, row.kind, str(row.id)), (row.body,)) for row in journal.rows]
        for id in journal.deleted:
            kind = "room" if id in journal.deleted_rooms else "thing"
            found.append(Change("values", (self.number, kind, str(id)), None))
        for name, source in journal.procedures.items():
            values = None if source is None else (pack(source),)
            found.append(Change("values", (self.number, _PROCEDURE, name), values))
        if journal.rows:  # it may have given out ids, so `next_id` is written
            found.append(self.dump(account))
        return found


@dataclass
class Token:
    """What a token stands for. The token itself is not stored.

    Attributes:
        user: the user that it logs in.
        expires, created: seconds since the epoch; `expires` is None for never.
        description: a text for people.
    """

    user: str
    expires: float | None
    created: int
    description: str

    def dump(self) -> bytes:
        """Return the body as it is stored."""
        return pack(vars(self))


@dataclass
class State:
    """The state of a database.

    Its methods add the rows that change to `changes`. Changes within a collection are in the collection's
    journal instead.

    Attributes:
        account: the account it belongs to.
        numbers: gives out the numbers of new collections.
        thingsdb: the @thingsdb scope. It is stored like a collection, because it has procedures.
        collections: by name.
        users: by name.
        tokens: by hash.
        changes: what is to be written.
    """

    account: str
    numbers: Iterator[int]
    thingsdb: CollectionEntry = field(init=False)
    collections: dict[str, CollectionEntry] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @classmethod
    def load(cls, account: str, rows: Rows, numbers: Iterator[int]) -> State:
        """Build the state from rows. If there are none yet, create the owner and the first collection."""
        state = cls(account, numbers)
        contents: dict[int, list[Row]] = {}
        procedures: dict[int, dict[str, str]] = {}
        for (number, kind, key), (body,) in rows["values"].items():
            if kind == _PROCEDURE:
                procedures.setdefault(number, {})[key] = unpack(body)
            else:
                contents.setdefault(number, []).append(Row(int(key), kind, body))
        for (number,), (_, name, body) in rows["collections"].items():
            stored = unpack(body)
            collection = load_collection(
                name, contents.get(number, []), procedures.get(number), stored["next_id"]
            )
            deep, node_deep = stored.get("deep", 1), stored.get("node_deep", 1)
            entry = CollectionEntry(number, stored["created"], stored["zone"], collection, deep, node_deep)
            state.collections[name] = entry
        state.users = {name: User.load(name, body) for (name,), (_, body) in rows["users"].items()}
        state.tokens = {hash_: Token(**unpack(body)) for (hash_,), (_, body) in rows["tokens"].items()}
        if account not in state.users:  # no rows yet: the owner is the first row that is written
            state.put_user(User(account, created=int(time.time())))
            state._make(_THINGSDB)
            state.new_collection(FIRST_COLLECTION)
        state.thingsdb = state.collections.pop(_THINGSDB)
        state.users[account].owner = True
        return state

    def collection(self, name: str) -> CollectionEntry:
        """Return the collection of this name.

        Raises:
            things_errors.LookupError: there is none.
        """
        found = self.collections.get(name)
        if found is None:
            raise things_errors.LookupError(f"collection `{name}` not found")
        return found

    def new_collection(self, name: str) -> CollectionEntry:
        """Create a collection.

        Raises:
            things_errors.ValueError: a collection cannot have this name.
            things_errors.LookupError: another collection has it.
        """
        self._check_free(name)
        return self._make(name)

    def _make(self, name: str) -> CollectionEntry:
        entry = CollectionEntry(next(self.numbers), int(time.time()), "UTC", Collection(name))
        self.collections[name] = entry
        self.changes.append(entry.dump(self.account))
        self.changes.extend(entry.changes(self.account, entry.collection.take_journal()))
        return entry

    def rename_collection(self, entry: CollectionEntry, name: str) -> None:
        """Rename a collection. Raises what `new_collection` raises."""
        self._check_free(name)
        del self.collections[entry.collection.name]
        entry.collection.name = name
        self.collections[name] = entry
        self.changes.append(entry.dump(self.account))

    def set_zone(self, entry: CollectionEntry, zone: str) -> None:
        """Set the time zone of a collection."""
        entry.zone = zone
        self.changes.append(entry.dump(self.account))

    def set_deep(self, entry: CollectionEntry, deep: int | None = None, node_deep: int | None = None) -> None:
        """Set how many levels of things results show."""
        entry.deep = entry.deep if deep is None else deep
        entry.node_deep = entry.node_deep if node_deep is None else node_deep
        self.changes.append(entry.dump(self.account))

    def delete_collection(self, entry: CollectionEntry) -> None:
        """Delete a collection and the privileges that users have in it."""
        del self.collections[entry.collection.name]
        self.changes.append(Change("collections", (entry.number,), None))
        for user in self.users.values():
            if user.access.pop(entry.number, None) is not None:
                self.put_user(user)

    def user(self, name: str) -> User:
        """Return the user of this name.

        Raises:
            things_errors.LookupError: there is none.
        """
        found = self.users.get(name)
        if found is None:
            raise things_errors.LookupError(f"user `{name}` not found")
        return found

    def put_user(self, user: User) -> None:
        """Save a user who is new or has changed."""
        self.users[user.name] = user
        self.changes.append(Change("users", (user.name,), (self.account, user.dump())))

    def delete_user(self, user: User) -> None:
        """Delete a user and the tokens of that user."""
        del self.users[user.name]
        self.changes.append(Change("users", (user.name,), None))
        for hash_ in [hash_ for hash_, token in self.tokens.items() if token.user == user.name]:
            self.delete_token(hash_)

    def rename_user(self, user: User, name: str) -> None:
        """Rename a user. The password and the tokens stay valid."""
        old = user.name
        del self.users[old]
        self.changes.append(Change("users", (old,), None))
        user.name = name
        self.put_user(user)
        for hash_, token in self.tokens.items():
            if token.user == old:
                token.user = name
                self.put_token(hash_, token)

    def put_token(self, hash_: str, token: Token) -> None:
        """Save a token under its hash."""
        self.tokens[hash_] = token
        self.changes.append(Change("tokens", (hash_,), (self.account, token.dump())))

    def delete_token(self, hash_: str) -> None:
        """Delete a token."""
        del self.tokens[hash_]
        self.changes.append(Change("tokens", (hash_,), None))

    def _check_free(self, name: object) -> None:
        if not isinstance(name, str) or not is_name(name):
            raise things_errors.ValueError(
                "a collection's name is 1 to 255 letters, digits and underscores, no digit first"
            )
        if name in self.collections:
            raise things_errors.LookupError(f"collection `{name}` already exists")
