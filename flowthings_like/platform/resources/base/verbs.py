"""The verbs that all nouns but drops share, over one table: a resource is a JSON document with an id.

A `Kind` says what one noun's documents must look like; the verbs do the rest: who may, what is stored, what
is handed back. Each verb is one transaction. Every function takes the store, the caller and the kind, raises
the platform's problems, and knows nothing of HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ... import ids
from ...problems import BadRequest, Forbidden, NotFound
from ...store.schema import resources
from ..access.authorization import refuse_elsewhere
from ..query import misspellings
from ..query.query import LARGEST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..access.rights import Caller
    from ..drops.resource_store import ResourceStore
    from ..query.query import Query

Document = dict[str, Any]

MOST_IDS = 10_000
"""Most ids in one bulk read or update."""

SET_BY_PLATFORM = frozenset({"id", "creationDate", "creatorId", "lastEditDate", "lastEditorId"})
"""Members that a writer may send back unchanged or not, and that are ignored."""


def _as_is(_caller: Caller, document: Document) -> Document:
    return document


def _nothing(
    _connection: sql.Connection, _caller: Caller, _document: Document, _before: Document | None
) -> None:
    pass


def _no_extras(_connection: sql.Connection, _caller: Caller, _document: Document) -> Document:
    return {}


def _no_traces(_connection: sql.Connection, _document: Document) -> None:
    pass


def _no_more(_store: ResourceStore) -> None:
    pass


@dataclass(frozen=True)
class Kind:
    """One noun.

    Attributes:
        name: as in the `kind` column and in URLs.
        letter: the first character of its ids.
        check: (caller, document) -> the document to store, or BadRequest. Looks at nothing but the document.
        path_members: the member that says where in the account a document belongs, kept in the `path` column;
            the first that is there, if several may.
        places: document -> the paths at which a caller needs the right to it, if that is not `path_members`.
            A document that has none is the master token's business alone.
        members: what a writer may set and the platform understands; a near miss of these is refused, any
            other name is a client's own.
        readonly: members beyond SET_BY_PLATFORM that only the platform sets.
        immutable: whether documents can be read and deleted only.
        relate: (connection, caller, document, before) checks against other rows, and adjusts them, before the
            write; `before` is the stored document, None at creation.
        created: (connection, caller, document) -> members that the creator gets to see once and that are not
            stored; writes what belongs to the new document elsewhere.
        deleted: (connection, document) removes what belongs to the document elsewhere.
        written: (store) begins what is to be done in the background after documents were changed.
        present: document -> as it is shown now.
        is_cached: whether the platform keeps what such a document stands for at hand in compiled form
            (flows and tracks).
        grants: whether somebody's rights depend on such documents.
    """

    name: str
    letter: str
    check: Callable[[Caller, Document], Document] = _as_is
    path_members: tuple[str, ...] = ()
    places: Callable[[Document], Collection[str]] | None = None
    members: frozenset[str] = frozenset()
    readonly: frozenset[str] = frozenset()
    immutable: bool = False
    relate: Callable[[sql.Connection, Caller, Document, Document | None], None] = _nothing
    created: Callable[[sql.Connection, Caller, Document], Document] = _no_extras
    deleted: Callable[[sql.Connection, Document], None] = _no_traces
    written: Callable[[ResourceStore], None] = _no_more
    present: Callable[[Document], Document] = field(default=lambda document: document)
    is_cached: bool = False
    grants: bool = False

    @cached_property
    def known(self) -> frozenset[str]:
        """All members that the platform knows."""
        return self.members | self.readonly | SET_BY_PLATFORM | frozenset(self.path_members)

    def path_of(self, document: Document) -> str | None:
        """Where in the account the document belongs."""
        return next((document[name] for name in self.path_members if name in document), None)

    def places_of(self, document: Document) -> Collection[str]:
        """The paths at which a caller needs the right to the document."""
        if self.places is not None:
            return self.places(document)
        path = self.path_of(document)
        return () if path is None else (path,)


def create(store: ResourceStore, caller: Caller, kind: Kind, model: Any) -> Document:
    """ResourceStore a new document and return it whole."""
    wanted = _members(kind, model)
    if wanted.get("id") is not None:
        raise BadRequest(
            "id is chosen by the platform: leave it out to create, or update the resource that has it"
        )
    return store.write(
        lambda connection: insert(connection, caller, kind, wanted), clears_cache=kind.is_cached
    )


def insert(connection: sql.Connection, caller: Caller, kind: Kind, model: Mapping[str, Any]) -> Document:
    """What `create` does, inside a transaction that is already under way."""
    now = ids.now_ms()
    misspellings.check(model, kind.known, "member")
    document = kind.check(caller, _writable(kind, model))
    _require(caller, kind, document, "write")
    kind.relate(connection, caller, document, None)
    document = {
        "id": ids.new_id(kind.letter, now),
        **document,
        "creationDate": now,
        "creatorId": caller.identity,
    }
    connection.execute(
        resources.insert().values(
            id=document["id"],
            kind=kind.name,
            account=caller.account,
            path=kind.path_of(document),
            created=now,
            body=_text(document),
        )
    )
    extras = kind.created(connection, caller, document)
    return {**kind.present(document), **extras}


def read(store: ResourceStore, caller: Caller, kind: Kind, id_: str) -> Document:
    """One document. Raises NotFound, or Forbidden where the caller has no right to it."""
    document = store.read(lambda connection: fetch(connection, caller, kind, id_))
    _require(caller, kind, document, "read", f"{kind.name} {id_}")
    return kind.present(document)


def fetch(connection: sql.Connection, caller: Caller, kind: Kind, id_: str) -> Document:
    """The stored document, whoever asks within the account.

    Raises:
        NotFound: there is none.
        Forbidden: it is in another account, which shares it with the caller.
    """
    statement = sql.select(resources.c.account, resources.c.body).where(
        resources.c.id == id_, resources.c.kind == kind.name
    )
    row = connection.execute(statement).first()
    if row is None:
        raise NotFound(f"there is no {kind.name} {id_}")
    document: Document = orjson.loads(row.body)
    if row.account != caller.account:
        refuse_elsewhere(connection, caller, kind.places_of(document), f"{kind.name} {id_}")
    return document


def read_many(store: ResourceStore, caller: Caller, kind: Kind, wanted: Any) -> dict[str, Document]:
    """{id: document} of those that exist and that the caller may read.

    Args:
        wanted: a list of at most MOST_IDS ids.
    """
    names = check_ids(wanted)
    statement = sql.select(resources.c.body).where(
        resources.c.id.in_(names), resources.c.kind == kind.name, resources.c.account == caller.account
    )
    bodies = store.read(lambda connection: connection.execute(statement).scalars().all())
    documents = {document["id"]: document for document in map(orjson.loads, bodies)}
    return {
        id_: kind.present(documents[id_])
        for id_ in dict.fromkeys(names)
        if id_ in documents and _may(caller, kind, documents[id_], "read")
    }


def find(store: ResourceStore, caller: Caller, kind: Kind, query: Query) -> list[Document]:
    """The documents that the query asks for and the caller may read, newest first unless it says else."""
    # Where the right to a document is not in a column it is looked at here, before the page is cut out.
    by_hand = caller.rights is not None and not kind.path_members
    page = replace(query, start=0, limit=LARGEST_LIMIT) if by_hand else query
    everything = sql.select(resources.c.body).where(
        resources.c.kind == kind.name, resources.c.account == caller.account, *_within(caller, kind)
    )

    def work(connection: sql.Connection) -> list[str]:
        statement = page.apply(
            everything,
            columns=_columns(kind),
            document=resources.c.body,
            newest=(resources.c.created, resources.c.id),
            dialect=connection.dialect,
        )
        return list(connection.execute(statement).scalars())

    found: list[Document] = [orjson.loads(body) for body in store.read(work)]
    if by_hand:
        mine = [document for document in found if _may(caller, kind, document, "read")]
        found = mine[query.start : query.start + query.limit]
    return [query.pick(kind.present(document)) for document in found]


def update(store: ResourceStore, caller: Caller, kind: Kind, id_: str, changes: Any) -> Document:
    """Change the members named in `changes`, null removing one, and return the whole document."""
    return update_many(store, caller, kind, {id_: changes})[id_]


def update_many(store: ResourceStore, caller: Caller, kind: Kind, changes: Any) -> dict[str, Document]:
    """{id: changes}, all or nothing; {id: document} as they then are."""
    if kind.immutable:
        raise BadRequest(f"a {kind.name} cannot be changed: delete it and create another")
    if not isinstance(changes, dict) or not changes:
        raise BadRequest("the body must be a map from id to the members to change")
    wanted = {id_: _members(kind, members) for id_, members in changes.items()}
    check_ids(list(wanted))
    for id_, members in wanted.items():
        if members.get("id", id_) != id_:
            raise BadRequest(f"id {members['id']!r} in the body is not the id {id_!r} that is being changed")

    def work(connection: sql.Connection) -> dict[str, Document]:
        return {id_: _change(connection, caller, kind, id_, members) for id_, members in wanted.items()}

    changed = store.write(work, clears_cache=kind.is_cached)
    kind.written(store)
    return changed


def set_member(
    store: ResourceStore, caller: Caller, kind: Kind, id_: str, member: str, value: Any
) -> Document:
    """Give one member a value and return the whole document."""
    if member in SET_BY_PLATFORM or member in kind.readonly:
        raise BadRequest(f"{member} is set by the platform and cannot be changed")
    return update(store, caller, kind, id_, {member: value})


def delete(store: ResourceStore, caller: Caller, kind: Kind, id_: str) -> Document:
    """Remove the document and what belongs to it. Returns an empty document."""

    def work(connection: sql.Connection) -> None:
        document = fetch(connection, caller, kind, id_)
        _require(caller, kind, document, "write", f"{kind.name} {id_}")
        connection.execute(resources.delete().where(resources.c.id == id_))
        kind.deleted(connection, document)

    store.write(work, clears_cache=kind.is_cached)
    return {}


def check_ids(wanted: Any) -> list[str]:
    """A list of ids from a request, or BadRequest."""
    if not isinstance(wanted, list) or not all(isinstance(id_, str) for id_ in wanted):
        raise BadRequest("the body must be a list of ids")
    if len(wanted) > MOST_IDS:
        raise BadRequest(f"{len(wanted)} ids in one request: {MOST_IDS} is the most")
    return wanted


def _change(
    connection: sql.Connection, caller: Caller, kind: Kind, id_: str, members: Mapping[str, Any]
) -> Document:
    before = fetch(connection, caller, kind, id_)
    _require(caller, kind, before, "write", f"{kind.name} {id_}")
    # What is stored already may be sent back, or removed.
    misspellings.check(members.keys() - before.keys(), kind.known, "member")
    kept = {name: value for name, value in before.items() if name in SET_BY_PLATFORM | kind.readonly}
    checked = kind.check(caller, {**_writable(kind, before), **_writable(kind, members)})
    document = {**before, **checked, **kept}
    for name in before.keys() - checked.keys() - kept.keys():
        del document[name]
    _require(caller, kind, document, "write")
    kind.relate(connection, caller, document, before)
    document["lastEditDate"] = ids.now_ms()
    document["lastEditorId"] = caller.identity
    connection.execute(
        resources.update()
        .where(resources.c.id == id_)
        .values(body=_text(document), path=kind.path_of(document))
    )
    return kind.present(document)


def _members(kind: Kind, model: Any) -> dict[str, Any]:
    if not isinstance(model, dict):
        raise BadRequest(f"a {kind.name} must be a JSON object")
    return model


def _writable(kind: Kind, model: Mapping[str, Any]) -> Document:
    return {n: value for n, value in model.items() if n not in SET_BY_PLATFORM and n not in kind.readonly}


def _may(caller: Caller, kind: Kind, document: Document, permission: str) -> bool:
    if caller.rights is None:
        return True
    if permission == "read" and document["id"] in (caller.identity, caller.token):
        return True
    places = kind.places_of(document)
    return bool(places) and all(caller.may(path, permission) for path in places)


def _require(
    caller: Caller, kind: Kind, document: Document, permission: str, what: str | None = None
) -> None:
    """Raise unless the caller has the right to a document; `what`: as it was named, if not by its path."""
    if caller.rights is None:
        return
    places = kind.places_of(document)
    for path in places:
        caller.require(path, permission, what)
    if not places and not (permission == "read" and _may(caller, kind, document, permission)):
        raise Forbidden(f"this {kind.name} needs the account's master token")


def _within(caller: Caller, kind: Kind) -> list[sql.ColumnElement[bool]]:
    """The rows that the caller may read, as conditions, where the right to them is in the path column."""
    prefixes = caller.prefixes("read")
    if prefixes is None or not kind.path_members:
        return []
    path = resources.c.path
    beneath: list[sql.ColumnElement[bool]] = []
    for prefix in prefixes:  # substr, because SQLite's LIKE takes upper and lower case for the same
        beneath += [path == prefix, sql.func.substr(path, 1, len(prefix) + 1) == prefix + "/"]
    return [sql.or_(sql.false(), *beneath)]


def _columns(kind: Kind) -> dict[str, sql.ColumnElement[Any]]:
    columns: dict[str, sql.ColumnElement[Any]] = {"id": resources.c.id, "creationDate": resources.c.created}
    if len(kind.path_members) == 1:
        columns[kind.path_members[0]] = resources.c.path
    return columns


def _text(document: Document) -> str:
    return orjson.dumps(document).decode()
