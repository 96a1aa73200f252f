"""References: the objects that an answer's objects point to, for readers that ask with `refs=1`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ...store.schema import resources
from ..query.query import Excerpt

if TYPE_CHECKING:
    from ...rest.envelope import Answer
    from ...rest.request import Request
    from ..access.rights import Caller

_POINTERS = {"creatorId": "identity", "flowId": "flow"}
_PUBLIC = ("id", "name", "displayName", "icon")  # what other accounts get to see of an identity


def add(request: Request, answer: Answer) -> Answer:
    """`answer`, with its references filled in if the request wants them: {kind: {id: object}}."""
    if not request.refs:
        return answer
    wanted: dict[str, str] = {}
    for document in _documents(answer.body):
        for member, kind in _POINTERS.items():
            if isinstance(document.get(member), str):
                wanted[document[member]] = kind
    if wanted:
        columns = resources.c.id, resources.c.account, resources.c.body
        statement = sql.select(*columns).where(resources.c.id.in_(list(wanted)))
        for id_, account, body in request.store.read(lambda connection: connection.execute(statement).all()):
            document, kind = orjson.loads(body), wanted[id_]
            if kind == "flow" and not request.caller.may(document["path"], "read"):
                continue
            # Only who has the whole account, or is it, sees all of an identity.
            if kind == "identity" and not _knows(request.caller, account, id_):
                document = {name: document[name] for name in _PUBLIC if name in document}
            answer.references.setdefault(kind, {})[id_] = document
    return answer


def _knows(caller: Caller, account: str, identity: str) -> bool:
    return identity == caller.identity or (account == caller.account and caller.rights is None)


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
