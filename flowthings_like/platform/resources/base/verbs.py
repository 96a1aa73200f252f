"""The verbs of all resources but drops: create, read, find, update, delete, over one table.

A `Resource` declares what its documents look like; the verbs do the rest: who may do it, what is stored, what
is returned. Each verb is one transaction. Every function takes the store, the caller and the resource, raises
the platform's problems, and knows nothing of HTTP.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ....wire.rest import LARGEST_LIMIT
from ... import ids
from ...problems import BadRequest, Forbidden, NotFound
from ...store.schema import resources as table
from ..access.authorization import refuse_elsewhere
from ..query import misspellings
from .resource import SET_BY_PLATFORM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..access.rights import Caller
    from ..drops.resource_store import ResourceStore
    from ..query.query import Query
    from .resource import Document, Resource

MOST_IDS = 10_000
"""Most ids in one bulk read or update."""


def create(store: ResourceStore, caller: Caller, resource: Resource, model: Any) -> Document:
    """Store a new document and return it whole."""
    wanted = _members(resource, model)
    if wanted.get("id") is not None:
        raise BadRequest(
            "id is chosen by the platform: leave it out to create, or update the resource that has it"
        )
    resource.before_transaction(store, caller, wanted)
    return store.write(
        lambda connection: insert(connection, caller, resource, wanted), clears_cache=resource.is_cached
    )


def insert(
    connection: sql.Connection,
    caller: Caller,
    resource: Resource,
    model: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
) -> Document:
    """Do what `create` does, within a transaction of the caller's.

    Args:
        own: read-only members, which no writer can set.
    """
    now = ids.now_ms()
    misspellings.check(model, resource.known, "member")
    document = resource.validated(caller, _writable(resource, model))
    _require(caller, resource, document, "write")
    resource.before_write(connection, caller, document, None)
    document = {
        "id": ids.new_id(resource.letter, now),
        **document,
        **(own or {}),
        "creationDate": now,
        "creatorId": caller.identity,
    }
    connection.execute(
        table.insert().values(
            id=document["id"],
            kind=resource.name,
            account=caller.account,
            path=resource.path_of(document),
            created=now,
            body=_text(document),
        )
    )
    extras = resource.after_create(connection, caller, document)
    return {**resource.present(document), **extras}


def store_again(connection: sql.Connection, resource: Resource, document: Document) -> None:
    """Store a document in place of the one that has its id."""
    columns = {"body": _text(document), "path": resource.path_of(document)}
    connection.execute(table.update().where(table.c.id == document["id"]).values(columns))


def read(store: ResourceStore, caller: Caller, resource: Resource, id_: str) -> Document:
    """One document. Raises NotFound, or Forbidden where the caller has no right to it."""
    document = store.read(lambda connection: fetch(connection, caller, resource, id_))
    _require(caller, resource, document, "read", f"{resource.name} {id_}")
    return resource.present(document)


def fetch(connection: sql.Connection, caller: Caller, resource: Resource, id_: str) -> Document:
    """The stored document, whatever the caller's rights in the account are.

    Raises:
        NotFound: there is none.
        Forbidden: it is in another account, which shares it with the caller.
    """
    statement = sql.select(table.c.account, table.c.body).where(
        table.c.id == id_, table.c.kind == resource.name
    )
    row = connection.execute(statement).first()
    if row is None:
        raise NotFound(f"there is no {resource.name} {id_}")
    document: Document = orjson.loads(row.body)
    if row.account != caller.account:
        refuse_elsewhere(connection, caller, resource.rights_at(document), f"{resource.name} {id_}")
    return document


def read_many(store: ResourceStore, caller: Caller, resource: Resource, wanted: Any) -> dict[str, Document]:
    """{id: document} of those that exist and that the caller may read.

    Args:
        wanted: a list of at most MOST_IDS ids.
    """
    names = check_ids(wanted)
    statement = sql.select(table.c.body).where(
        table.c.id.in_(names), table.c.kind == resource.name, table.c.account == caller.account
    )
    bodies = store.read(lambda connection: connection.execute(statement).scalars().all())
    documents = {document["id"]: document for document in map(orjson.loads, bodies)}
    return {
        id_: resource.present(documents[id_])
        for id_ in dict.fromkeys(names)
        if id_ in documents and may(caller, resource, documents[id_], "read")
    }


def find(store: ResourceStore, caller: Caller, resource: Resource, query: Query) -> list[Document]:
    """The documents that the query asks for and the caller may read, newest first unless it says else."""
    # If rights are not in the path column, they are checked here, before the page is cut out.
    checked_here = caller.rights is not None and not resource.path_members
    page = replace(query, start=0, limit=LARGEST_LIMIT) if checked_here else query
    everything = sql.select(table.c.body).where(
        table.c.kind == resource.name, table.c.account == caller.account, *within(caller, resource)
    )

    def work(connection: sql.Connection) -> list[str]:
        search = page.apply(
            everything,
            columns=_columns(resource),
            document=table.c.body,
            newest=(table.c.created, table.c.id),
            dialect=connection.dialect,
        )
        return [row.body for row in search.fetch(connection, {}, lambda row: orjson.loads(row.body))]

    found: list[Document] = [orjson.loads(body) for body in store.read(work)]
    if checked_here:
        mine = [document for document in found if may(caller, resource, document, "read")]
        found = mine[query.start : query.start + query.limit]
    return [query.pick(resource.present(document)) for document in found]


def update(store: ResourceStore, caller: Caller, resource: Resource, id_: str, changes: Any) -> Document:
    """Change the members named in `changes`, null removing one, and return the whole document."""
    return update_many(store, caller, resource, {id_: changes})[id_]


def update_many(
    store: ResourceStore, caller: Caller, resource: Resource, changes: Any
) -> dict[str, Document]:
    """{id: changes}, all or nothing; {id: document} as they then are."""
    if resource.immutable:
        raise BadRequest(f"a {resource.name} cannot be changed: delete it and create another")
    if not isinstance(changes, dict) or not changes:
        raise BadRequest("the body must be a map from id to the members to change")
    wanted = {id_: _members(resource, members) for id_, members in changes.items()}
    check_ids(list(wanted))
    for id_, members in wanted.items():
        if members.get("id") not in (None, id_):
            raise BadRequest(f"id {members['id']!r} in the body is not the id {id_!r} that is being changed")
        resource.before_transaction(store, caller, members)

    def work(connection: sql.Connection) -> dict[str, Document]:
        return {id_: change(connection, caller, resource, id_, members) for id_, members in wanted.items()}

    changed = store.write(work, clears_cache=resource.is_cached)
    resource.after_update(store)
    return changed


def set_member(
    store: ResourceStore, caller: Caller, resource: Resource, id_: str, member: str, value: Any
) -> Document:
    """Give one member a value and return the whole document."""
    if member in SET_BY_PLATFORM or member in resource.readonly:
        raise BadRequest(f"{member} is set by the platform and cannot be changed")
    return update(store, caller, resource, id_, {member: value})


def delete(store: ResourceStore, caller: Caller, resource: Resource, id_: str) -> Document:
    """Remove the document and what belongs to it. Returns an empty document."""
    store.write(lambda connection: remove(connection, caller, resource, id_), clears_cache=resource.is_cached)
    return {}


def remove(connection: sql.Connection, caller: Caller, resource: Resource, id_: str) -> None:
    """Do what `delete` does, within a transaction of the caller's."""
    document = fetch(connection, caller, resource, id_)
    _require(caller, resource, document, "write", f"{resource.name} {id_}")
    connection.execute(table.delete().where(table.c.id == id_))
    resource.after_delete(connection, document)


def check_ids(wanted: Any) -> list[str]:
    """A list of ids from a request, or BadRequest."""
    if not isinstance(wanted, list) or not all(isinstance(id_, str) for id_ in wanted):
        raise BadRequest("the body must be a list of ids")
    if len(wanted) > MOST_IDS:
        raise BadRequest(f"{len(wanted)} ids in one request: {MOST_IDS} is the most")
    return wanted


def change(
    connection: sql.Connection, caller: Caller, resource: Resource, id_: str, members: Mapping[str, Any]
) -> Document:
    """Do what `update` does, within a transaction of the caller's."""
    before = fetch(connection, caller, resource, id_)
    _require(caller, resource, before, "write", f"{resource.name} {id_}")
    # Members that are stored already may be sent back, or removed.
    misspellings.check(members.keys() - before.keys(), resource.known, "member")
    kept = {name: value for name, value in before.items() if name in SET_BY_PLATFORM | resource.readonly}
    checked = resource.validated(caller, {**_writable(resource, before), **_writable(resource, members)})
    document = {**before, **checked, **kept}
    for name in before.keys() - checked.keys() - kept.keys():
        del document[name]
    _require(caller, resource, document, "write")
    resource.before_write(connection, caller, document, before)
    document["lastEditDate"] = ids.now_ms()
    document["lastEditorId"] = caller.identity
    store_again(connection, resource, document)
    return resource.present(document)


def _members(resource: Resource, model: Any) -> dict[str, Any]:
    if not isinstance(model, dict):
        raise BadRequest(f"a {resource.name} must be a JSON object")
    return model


def _writable(resource: Resource, model: Mapping[str, Any]) -> Document:
    return {n: value for n, value in model.items() if n not in SET_BY_PLATFORM and n not in resource.readonly}


def may(caller: Caller, resource: Resource, document: Document, permission: str) -> bool:
    if caller.rights is None:
        return True
    if permission == "read" and document["id"] in (caller.identity, caller.token):
        return True
    paths = resource.rights_at(document)
    return bool(paths) and all(caller.may(path, permission) for path in paths)


def _require(
    caller: Caller, resource: Resource, document: Document, permission: str, what: str | None = None
) -> None:
    """Raise unless the caller has the right to a document. `what`: how it was named, if not by its path."""
    if caller.rights is None:
        return
    paths = resource.rights_at(document)
    for path in paths:
        caller.require(path, permission, what)
    if not paths and not (permission == "read" and may(caller, resource, document, permission)):
        raise Forbidden(f"this {resource.name} needs the account's master token")


def within(caller: Caller, resource: Resource) -> list[sql.ColumnElement[bool]]:
    """Conditions for the rows that the caller may read, if the right to them is in the path column."""
    prefixes = caller.prefixes("read")
    if prefixes is None or not resource.path_members:
        return []
    path = table.c.path
    beneath: list[sql.ColumnElement[bool]] = []
    for prefix in prefixes:  # substr, because SQLite's LIKE ignores case
        beneath += [path == prefix, sql.func.substr(path, 1, len(prefix) + 1) == prefix + "/"]
    return [sql.or_(sql.false(), *beneath)]


def _columns(resource: Resource) -> dict[str, sql.ColumnElement[Any]]:
    columns: dict[str, sql.ColumnElement[Any]] = {"id": table.c.id, "creationDate": table.c.created}
    if len(resource.path_members) == 1:
        columns[resource.path_members[0]] = table.c.path
    return columns


def _text(document: Document) -> str:
    return orjson.dumps(document).decode()
