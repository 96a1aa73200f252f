"""What the methods do at `/<kind>`, `/<kind>/<id>` and `/<kind>/<id>/<member>`, alike for all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..resources.base import references
from ..resources.base import verbs as resources
from ..resources.query.query import Query
from .envelope import Answer, created
from .search_limits import Methods, Search

if TYPE_CHECKING:
    from ..resources.base.verbs import Kind
    from .request import Request


def routes(kind: Kind) -> dict[int, Methods]:
    """{how many segments follow the kind: {method: handler}}."""

    def create(request: Request) -> Answer:
        document = resources.create(request.store, request.caller, kind, request.body())
        return changed(request, created(document))

    def find(request: Request) -> Answer:
        query = Query.from_params(request.params, kind.known)
        return answer(request, resources.find(request.store, request.caller, kind, query))

    def read_many(request: Request) -> Answer:
        return answer(request, resources.read_many(request.store, request.caller, kind, request.body()))

    def update_many(request: Request) -> Answer:
        documents = resources.update_many(request.store, request.caller, kind, request.body())
        return changed(request, Answer(documents))

    def read(request: Request) -> Answer:
        document = resources.read(request.store, request.caller, kind, request.target.rest[0])
        return answer(request, Query.from_params(request.params, kind.known).pick(document))

    def update(request: Request) -> Answer:
        id_ = request.target.rest[0]
        return changed(
            request, Answer(resources.update(request.store, request.caller, kind, id_, request.body()))
        )

    def delete(request: Request) -> Answer:
        id_ = request.target.rest[0]
        return changed(request, Answer(resources.delete(request.store, request.caller, kind, id_)))

    def set_member(request: Request) -> Answer:
        id_, member = request.target.rest
        document = resources.set_member(request.store, request.caller, kind, id_, member, request.body())
        return changed(request, Answer(document))

    def answer(request: Request, body: Any) -> Answer:
        return references.add(request, Answer(body))

    def changed(request: Request, answer: Answer) -> Answer:
        if kind.grants:
            request.accounts.forget()
        return references.add(request, answer)

    return {
        0: {"GET": Search(find), "POST": create, "MGET": read_many, "MPUT": update_many},
        1: {"GET": read, "PUT": update, "DELETE": delete},
        2: {"PUT": set_member},
    }
