"""Routes of a resource: `/<resource>`, `/<resource>/<id>` and `/<resource>/<id>/<member>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..json_schema import ANYTHING, Schema, id_of, map_of
from ..resources.base import resource_schemas, verbs
from ..resources.query import parameters
from ..resources.query.query import Query
from . import references
from .envelope import Response, created
from .operations import EMPTY, operation
from .search_limits import Methods, Search

if TYPE_CHECKING:
    from ..resources.base.resource import Resource
    from .request import Request


_IDS: Schema = {"type": "array", "items": {"type": "string"}, "maxItems": verbs.MOST_IDS}


def segments(resource: Resource) -> dict[str, Schema]:
    """What follows the resource in a path, with the schema of each."""
    return {
        "id": id_of(resource.letter),
        "member": {"type": "string", "minLength": 1, "description": "the name of a member"},
    }


def routes(resource: Resource) -> dict[int, Methods]:
    """{how many segments follow the resource: {method: handler}}."""
    made = resource_schemas.document(resource)
    new, changes = resource_schemas.new(resource), resource_schemas.changes(resource)
    document = resource_schemas.excerpt(resource)
    documents = map_of(document)
    refused = " (always refused: it cannot be changed)" if resource.immutable else ""

    @operation("Create one", made, body=new, query=("refs",), status=201)
    def create(request: Request) -> Response:
        document = verbs.create(request.store, request.caller, resource, request.body())
        return changed(request, created(document))

    @operation("Find", {"type": "array", "items": document}, query=parameters.FIND)
    def find(request: Request) -> Response:
        query = Query.from_params(request.params, resource.known)
        return shown(request, verbs.find(request.store, request.caller, resource, query))

    @operation("Read several by id", documents, body=_IDS, query=("refs",))
    def read_many(request: Request) -> Response:
        return shown(request, verbs.read_many(request.store, request.caller, resource, request.body()))

    @operation(f"Change several, all or none{refused}", documents, body=map_of(changes), query=("refs",))
    def update_many(request: Request) -> Response:
        after = verbs.update_many(request.store, request.caller, resource, request.body())
        return changed(request, Response(after))

    @operation("Read one", document, query=parameters.READ)
    def read(request: Request) -> Response:
        document = verbs.read(request.store, request.caller, resource, request.target.rest[0])
        return shown(request, Query.from_params(request.params, resource.known).pick(document))

    @operation(f"Change members of one{refused}", document, body=changes, query=("refs",))
    def update(request: Request) -> Response:
        id_ = request.target.rest[0]
        return changed(
            request, Response(verbs.update(request.store, request.caller, resource, id_, request.body()))
        )

    @operation("Delete one", EMPTY)
    def delete(request: Request) -> Response:
        id_ = request.target.rest[0]
        return changed(request, Response(verbs.delete(request.store, request.caller, resource, id_)))

    @operation(f"Set one member of one{refused}", document, body=ANYTHING, query=("refs",))
    def set_member(request: Request) -> Response:
        id_, member = request.target.rest
        document = verbs.set_member(request.store, request.caller, resource, id_, member, request.body())
        return changed(request, Response(document))

    def shown(request: Request, body: Any) -> Response:
        return references.add(request, Response(body))

    def changed(request: Request, response: Response) -> Response:
        if resource.grants_rights:
            request.accounts.invalidate()
        return references.add(request, response)

    return {
        0: {"GET": Search(find), "POST": create, "MGET": read_many, "MPUT": update_many},
        1: {"GET": read, "PUT": update, "DELETE": delete},
        2: {"PUT": set_member},
    }
