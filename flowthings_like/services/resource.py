"""The verbs that the platform's nouns share.

Every verb takes query parameters as keywords: `api.flow.find(limit=10, sort="path")`. Three keywords are the
client's own and never become a query parameter by that name:

    params=   a dict or P with more query parameters, for names that no keyword can carry (id, model, …);
    timeout=  seconds for this one call: a number for all of it, or (to connect, between two reads) for each
              attempt;
    retry=    a Retry for this one call, or False to make it once.

With `refs=True` a call returns the pair (body, references). Every verb raises FlowThingsException with the
platform's reasons, InvalidInput before anything was sent, and ConnectionFailed, DeadlineExceeded or
InvalidResponse for the way there and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..changes import M, P
from ..errors import FlowThingsNotFound, InvalidInput
from ..filters.nodes import Filter
from ..green.marks import api_call, api_factory, bulk, chooses, plain, reads
from ..transport.urls import check_path, segment
from ..transport.values import resolve, text
from .pages import pages

if TYPE_CHECKING:
    from ..transport.connection import Connection
    from ..transport.retry import Retry

__all__ = [
    "AbstractServiceFactory",
    "BaseService",
    "Creatable",
    "Deletable",
    "Findable",
    "FullService",
    "Saveable",
]


class BaseService:
    """A resource path and nothing but plain requests to it; also what `api.root` is.

    Attributes:
        path: the resource path, such as "/flow"; a service of one's own sets it in its class.
    """

    __api_service__ = True
    path = ""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def creds(self) -> Any:
        """Who asks: the API's credentials. Setting them sets them for the whole API."""
        return self.connection.creds

    @creds.setter
    def creds(self, creds: Any) -> None:
        self.connection.creds = creds

    @api_call
    def request(
        self,
        method: str,
        path: str = "",
        data: Any = None,
        params: Mapping[str, Any] | P | None = None,
        timeout: Any = None,
        retry: Retry | Literal[False] | None = None,
    ) -> Any:
        """Make any request below this service's path.

        Args:
            method: an HTTP verb, MGET and MPUT included.
            path: what follows the service's path, from a slash on; ids in it are the caller's to encode.
            data: the body, encoded as JSON; None for none.
            params: query parameters.
            timeout: seconds for this call.
            retry: when this call is made again.

        Returns:
            The body of the answer; the pair (body, references) if `refs` was asked for.
        """
        whole = self.path + check_path(path)
        return self.connection.call(
            method, self._url(whole), whole, data=data, params=params, timeout=timeout, retry=retry
        )

    @api_call
    def raw_request(
        self, method: str, path: str = "", data: Any = None, params: Mapping[str, Any] | None = None
    ) -> tuple[Any, Mapping[str, str], int]:
        """Send data that is encoded already, with these query parameters alone.

        Returns:
            (text, headers, status), whatever the status; the text as the encoder's `loads` takes it.
        """
        return self.connection.send(method, self._url(self.path + check_path(path)), data, params)

    @property
    def __api_alone__(self) -> bool:
        """Whether calls of this service cannot travel together: the API's own parameters change what a read
        of one returns, and what they do to a read of many is not known."""
        return bool({"refs", "only"} & self.connection.params.keys())

    def _url(self, path: str) -> str:
        return self.connection.rest_url(path)

    def _call(self, method: str, path: str, data: Any, named: dict[str, Any]) -> Any:
        """`request`, with the keywords a verb was given."""
        patience = _patience(named)
        return self.request(method, path, data, query_params(named), **patience)


def _patience(named: dict[str, Any]) -> dict[str, Any]:
    """Those of a verb's keywords, taken out, that say how long it may take and when it is made again."""
    return {name: named.pop(name) for name in ("timeout", "retry") if name in named}


def query_params(named: dict[str, Any]) -> P:
    """The query parameters among a verb's keywords: `params=`, with the others on top."""
    more = named.pop("params", None)
    return P(P.of(more).to_dict(), **named)


def id_path(id: Any) -> str:
    """The path of one resource below its service's.

    Raises:
        InvalidInput: the id is no non-empty str, or it is "." or "..".
    """
    return "/" + segment(text(id, "an id"))


class Findable(BaseService):
    """The verbs that read."""

    @bulk("read_many", key="id", most=500, whole=(403, 404))
    def read(self, id: str, **params: Any) -> Any:
        """The resource with this id, a dict. FlowThingsNotFound if there is none."""
        return self._call("GET", id_path(id), None, params)

    @reads
    def read_or_else(self, id: str, default: Any = None, **params: Any) -> Any:
        """The resource with this id, or `default` if there is none; other errors are raised."""
        try:
            return self.read(id, **params)
        except FlowThingsNotFound:
            return default

    @reads
    def read_many(self, ids: Iterable[str], **params: Any) -> Any:
        """The resources with these ids, a dict of id to resource, in one request (none for no ids)."""
        ids = resolve(ids)
        if isinstance(ids, str | bytes | Mapping):
            raise InvalidInput("read_many takes a list of ids; for one id write read(id)")
        wanted = [text(id, "an id") for id in ids]
        if not wanted:
            return ({}, {}) if self._wants_refs(params) else {}
        return self._call("MGET", "", wanted, params)

    @reads
    def find_many(self, *filters: Filter | str, **params: Any) -> Any:
        """The resources for which all these filters hold, a list, newest first (20 unless `limit` says more).

        Args:
            filters: filters or their texts; none of them for every resource.
            params: for instance limit, start, sort, order ("asc" or "desc"), only, filter, refs.
        """
        return self._call("GET", "", None, with_filters(filters, params))

    @chooses("_verb_for")
    def find(self, *what: Any, **params: Any) -> Any:
        """`read`, `read_many` or `find_many`, depending on the first argument.

        A str is an id, a list or tuple of str are ids, filters are filters; no argument finds everything.
        """
        verb, what = self._verb_for(*what)
        return getattr(self, verb)(*what, **params)

    def _verb_for(self, *what: Any) -> tuple[str, tuple[Any, ...]]:
        """Which verb `find` is for these arguments, and with which it is called."""
        if not what:
            return "find_many", ()
        first = resolve(what[0])
        if isinstance(first, list | tuple) and any(isinstance(part, Filter) for part in first):
            raise InvalidInput("find: give several filters as arguments of their own, or joined by &")
        if not isinstance(first, str | bytes | list | tuple):
            return "find_many", what
        if len(what) > 1:
            raise InvalidInput(
                "find: an id or a list of ids stands alone; a filter's text goes to find_many or to filter="
            )
        if isinstance(first, str | bytes):
            return "read", (text(first, "an id"),)
        return "read_many", (first,)

    def __api_missing__(self, id: str) -> FlowThingsNotFound:
        """The failure of a read whose id is not in the answer to all."""
        return FlowThingsNotFound(
            f"there is no {id}",
            status=404,
            method="MGET",
            path=self.path,
            creds=str(self.connection.creds.account),
        )

    @plain
    def iterate(
        self, filter: Filter | str | None = None, *, page: int = 100, order: str = "desc", **params: Any
    ) -> Iterator[Any]:
        """All resources for which the filter holds, one by one, fetched a page at a time.

        They come in the order of their ids, which is the order of their creation, newest first. Each page
        asks for what lies beyond the last id seen, so nothing is skipped or comes twice while others create
        and delete: what is created meanwhile is not visited (with order="asc" it is, at the end).

        Args:
            filter: which ones; all if None.
            page: how many to fetch in one request, 1 to 100,000.
            order: "desc" for the newest first, "asc" for the oldest first.
            params: as in `find_many`, without sort, start, skip and refs; `limit` ends the iteration after
                that many; `only` is given the member id as well.
        """
        patience = _patience(params)

        def fetch(asked: dict[str, Any]) -> Any:
            if self._wants_refs({}):
                asked["refs"] = 0
            return self.request("GET", params=asked, **patience)

        return pages(fetch, filter, page, order, query_params(params).to_dict())

    def _wants_refs(self, named: dict[str, Any]) -> bool:
        return bool({**self.connection.params, **query_params(dict(named)).to_dict()}.get("refs"))


def with_filters(filters: tuple[Any, ...], params: dict[str, Any]) -> dict[str, Any]:
    """A verb's keywords, with the filters among them."""
    if not filters:
        return params
    also = params.get("filter")
    every = [*filters] if also is None else [*filters, also]
    return {**params, "filter": tuple(every)}


class Creatable(BaseService):
    """The verb that makes new ones."""

    def create(self, model: Mapping[str, Any], **params: Any) -> Any:
        """Create a resource and return it whole, with its id."""
        return self._call("POST", "", _model(model), params)


class Saveable(Creatable):
    """The verbs that write."""

    @bulk("update_many", key="model.id", most=500, writes=True)
    def update(self, model: Mapping[str, Any], **params: Any) -> Any:
        """Change the members that the model holds, of the resource its `id` names; return the resource.

        With an M only what was changed is sent.
        """
        id, changes = _changes(model)
        return self._call("PUT", id_path(id), changes, params)

    def update_member(self, id: str, name: str, value: Any, **params: Any) -> Any:
        """Set one member of the resource with this id and return the resource.

        Args:
            name: a top-level member, such as "capacity".
            value: its new value. To set null, use `update({"id": …, name: None})`.
        """
        value = resolve(value)
        if value is None:
            raise InvalidInput("update_member cannot send null; use update({'id': …, 'member': None})")
        return self._call("PUT", f"{id_path(id)}/{segment(text(name, 'a member'))}", value, params)

    def update_many(self, models: Iterable[Mapping[str, Any]], **params: Any) -> Any:
        """`update` for several models in one request (none for no models): a dict of id to resource."""
        models = resolve(models)
        if isinstance(models, str | bytes | Mapping):
            raise InvalidInput("update_many takes a list of models; for one model write update(model)")
        changes: dict[str, Any] = {}
        for model in models:
            id, change = _changes(model)
            if id in changes:
                raise InvalidInput(
                    f"update_many: the id {id!r} occurs twice, and only one of the two could win"
                )
            changes[id] = change
        return self._call("MPUT", "", changes, params) if changes else {}

    @chooses("_verb_to_save")
    def save(self, model: Any, **params: Any) -> Any:
        """`update_many` for a list or tuple of models, `update` for a model with an id, else `create`."""
        verb, what = self._verb_to_save(model)
        return getattr(self, verb)(*what, **params)

    def _verb_to_save(self, model: Any) -> tuple[str, tuple[Any, ...]]:
        if not isinstance(model, M):
            model = resolve(model)
        if isinstance(model, list | tuple):
            return "update_many", (model,)
        return "update" if "id" in _model(model) else "create", (model,)


class Deletable(BaseService):
    """The verb that removes."""

    def delete(self, id: str, data: Any = None, **params: Any) -> Any:
        """Delete the resource with this id.

        Args:
            data: a body to send along, if the platform wants one.
        """
        return self._call("DELETE", id_path(id), data, params)


class FullService(Findable, Saveable, Deletable):
    """All the verbs."""


class AbstractServiceFactory(BaseService):
    """A service that must be told of what before it can do much: `api.drop(flow)`.

    Attributes:
        service_class: what calling it makes, from (context, connection).
    """

    service_class: Any = None

    @api_factory
    def __call__(self, context: Any) -> Any:
        """The service for this context."""
        return self.service_class(context, self.connection)


def _model(model: Any) -> Mapping[str, Any]:
    found = resolve(model)
    if not isinstance(found, Mapping):
        raise InvalidInput(f"a model is a dict, not {type(found).__name__}")
    return found


def _changes(model: Any) -> tuple[str, Mapping[str, Any]]:
    """(id, what to send) of a model or an M."""
    whole, changes = model.done() if isinstance(model, M) else (_model(model), None)
    if whole.get("id") is None:
        raise InvalidInput(
            "this model has no 'id' to say which resource to change; create(model) makes a new one"
        )
    return text(whole["id"], "the model's 'id'"), whole if changes is None else changes
