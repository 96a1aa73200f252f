"""References: the objects that a response's objects point to, for readers that ask with `refs=1`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ...store.schema import resources as table
from ..query.query import Excerpt
from . import registry, verbs

if TYPE_CHECKING:
    from ..access.rights import Caller
    from ..drops.resource_store import ResourceStore
    from .resource import Document, Resource

_FOUND = sql.select(table.c.id, table.c.kind, table.c.account, table.c.body)


def find(store: ResourceStore, caller: Caller, body: Any) -> dict[str, dict[str, Document]]:
    """What the objects in a body point to: {resource: {id: object}}.

    An object that the caller may not read is left out, but for its public members.
    """
    known = registry.resources()
    pointers = {member: resource.name for resource in known.values() for member in resource.pointers}
    wanted: dict[str, str] = {}
    for document in _documents(body):
        for member, name in pointers.items():
            if isinstance(document.get(member), str):
                wanted[document[member]] = name
    found: dict[str, dict[str, Document]] = {}
    if wanted:
        statement = _FOUND.where(table.c.id.in_(list(wanted)))
        for id_, name, account, text in store.read(lambda connection: connection.execute(statement).all()):
            shown = _shown(caller, known[name], account, orjson.loads(text))
            if shown and wanted[id_] == name:
                found.setdefault(name, {})[id_] = shown
    return found


def _shown(caller: Caller, resource: Resource, account: str, document: Document) -> Document:
    """The document, or its public members if the caller may not read it."""
    is_own = account == caller.account or document["id"] == caller.identity
    if is_own and verbs.may(caller, resource, document, "read"):
        return document
    return {name: document[name] for name in resource.public_members if name in document}


def _documents(body: Any) -> Iterator[dict[str, Any]]:
    """The objects in a body: itself, or those in a list, a map of id to object or a map of id to list."""
    if isinstance(body, list):
        for each in body:
            yield from _documents(each)
    elif isinstance(body, Excerpt):
        yield body.whole
    elif isinstance(body, dict):
        if "id" in body:
            yield body
        else:
            for each in body.values():
                yield from _documents(each)
