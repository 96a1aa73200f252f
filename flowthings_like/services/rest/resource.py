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

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, overload

from ...changes import P
from ...errors import FlowThingsNotFound, InvalidInput
from ...filters.nodes import Filter
from ...green.calls.marks import api_call, chooses, plain, reads
from ...transport.http.urls import check_path, segment
from ...transport.values import items, resolve, text
from ..in_parallel import InParallel
from . import bulk_forms
from .arguments import takes_find_parameters, takes_read_parameters
from .pagination import pages

if TYPE_CHECKING:
    from ...transport.http.client import Connection
    from ...transport.retry import Retry
    from .arguments import Again, Filters, Id, Ids, More, Names, No, References, Timeout, Yes

__all__ = ["BaseService", "Findable", "Resource"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultedTypeVar

    R = DefaultedTypeVar("R", default=dict[str, Any])
else:
    R = TypeVar("R")
D = TypeVar("D")


class Resource(TypedDict, total=False):
    """What every resource has. Results are plain dicts: only a type checker looks at these types."""

    id: str
    creationDate: int
    creatorId: str
    lastEditDate: int
    lastEditorId: str


class BaseService(InParallel):
    """A resource path and nothing but plain requests to it; also what `api.root` is.

    Attributes:
        path: the resource path, such as "/flow"; a service of one's own sets it in its class.
        name: which attribute of every API it is, such as "flow". A module here that sets it in a class has
            added a resource: `python -m tools.parallel_types` then writes it into the registry and the types.
    """

    path = ""
    name = ""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _async_lib(self) -> Any:
        return self.connection.async_lib

    def __repr__(self) -> str:
        connection = self.connection
        return f"<{type(self).__name__} {self._shown()} of {connection.creds.account} at {connection.host}>"

    def _shown(self) -> str:
        """The path, for `repr`, which never waits."""
        return self.path or "/"

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
        limits = _pop_limits(named)
        return self.request(method, path, data, query_params(named) if named else None, **limits)


def _pop_limits(named: dict[str, Any]) -> dict[str, Any]:
    """Remove `timeout` and `retry` from a verb's keywords, and return them."""
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


class Findable(BaseService, Generic[R]):
    """The verbs that read."""

    @overload
    def read(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: No = False,
        params: More | None = None,
        timeout: Timeout | None = None,
        retry: Again | None = None,
        **more: Any,
    ) -> R: ...
    @overload
    def read(self, id: Id, *, refs: Yes, **params: Any) -> tuple[R, References]: ...
    @bulk_forms.read
    @takes_read_parameters
    def read(self, id: Id, **params: Any) -> Any:
        """The resource with this id, a dict. FlowThingsNotFound if there is none."""
        return self._call("GET", id_path(id), None, params)

    @overload
    def read_or_else(self, id: Id, **params: Any) -> R | None: ...
    @overload
    def read_or_else(self, id: Id, default: D, **params: Any) -> R | D: ...
    @reads
    @takes_read_parameters
    def read_or_else(self, id: Id, default: Any = None, **params: Any) -> Any:
        """The resource with this id, or `default` if there is none; other errors are raised."""
        try:
            return self.read(id, **params)
        except FlowThingsNotFound:
            return default

    @overload
    def read_many(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: No = False,
        params: More | None = None,
        timeout: Timeout | None = None,
        retry: Again | None = None,
        **more: Any,
    ) -> dict[str, R]: ...
    @overload
    def read_many(self, ids: Ids, *, refs: Yes, **params: Any) -> tuple[dict[str, R], References]: ...
    @reads
    @takes_read_parameters
    def read_many(self, ids: Ids, **params: Any) -> Any:
        """The resources with these ids, a dict of id to resource, in one request (none for no ids)."""
        given = items(ids, "read_many", "ids", "for one id write read(id)")
        wanted = [text(id, "an id") for id in given]
        if not wanted:
            return ({}, {}) if self._wants_refs(params) else {}
        return self._call("MGET", "", wanted, params)

    @overload
    def find_many(
        self,
        *filters: Filters | str,
        limit: int | None = None,
        start: int | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] | None = None,
        only: Names | None = None,
        filter: Filter | str | None = None,
        refs: No = False,
        params: More | None = None,
        timeout: Timeout | None = None,
        retry: Again | None = None,
        **more: Any,
    ) -> list[R]: ...
    @overload
    def find_many(self, *filters: Filters | str, refs: Yes, **params: Any) -> tuple[list[R], References]: ...
    @reads
    @takes_find_parameters
    def find_many(self, *filters: Filters | str, **params: Any) -> Any:
        """The resources for which all these filters hold, a list, newest first.

        Args:
            filters: filters or their texts; none of them for every resource.
            limit: how many at most; 20 unless given.
            start: how many to pass over.
            sort: members to sort by; `order` is "asc" or "desc".
            only: the members to return.
            filter: one more filter, or its text.
            refs: whether to return the pair (list, references).
            timeout, retry: how long this call may take, and whether it is made again.
            params: any other parameter of the platform's; `params=` takes a dict of them.
        """
        return self._call("GET", "", None, with_filters(filters, params))

    @overload
    def find(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: No = False,
        params: More | None = None,
        timeout: Timeout | None = None,
        retry: Again | None = None,
        **more: Any,
    ) -> R: ...
    @overload
    def find(self, id: Id, *, refs: Yes, **params: Any) -> tuple[R, References]: ...
    @overload
    def find(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: No = False,
        params: More | None = None,
        timeout: Timeout | None = None,
        retry: Again | None = None,
        **more: Any,
    ) -> dict[str, R]: ...
    @overload
    def find(self, ids: Ids, *, refs: Yes, **params: Any) -> tuple[dict[str, R], References]: ...
    @overload
    def find(
        self,
        *filters: Filters,
        limit: int | None = None,
        start: int | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] | None = None,
        only: Names | None = None,
        filter: Filter | str | None = None,
        refs: No = False,
        params: More | None = None,
        timeout: Timeout | None = None,
        retry: Again | None = None,
        **more: Any,
    ) -> list[R]: ...
    @overload
    def find(self, *filters: Filters, refs: Yes, **params: Any) -> tuple[list[R], References]: ...
    @chooses("_verb_for")
    @takes_find_parameters
    def find(self, *what: Any, **params: Any) -> Any:
        """`read`, `read_many` or `find_many`, depending on the first argument.

        A str is an id, a list or tuple of str are ids, filters are filters; no argument finds everything.
        What the keywords mean, `find_many` says.
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
    ) -> Iterator[R]:
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
        limits = _pop_limits(params)

        def fetch(asked: dict[str, Any]) -> Any:
            if self._wants_refs({}):
                asked["refs"] = 0
            return self.request("GET", params=asked, **limits)

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
