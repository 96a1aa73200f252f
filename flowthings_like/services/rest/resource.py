"""The base classes of the REST services: requests to a resource's path, and the methods that read resources.

Every method takes query parameters as keywords: `api.flow.find(limit=10, sort="path")`. Three keywords are
not sent as query parameters:

    params=   a dict or P with more query parameters, for names that are arguments of methods (id, model, …);
    timeout=  seconds for this call: one number for the whole call, or (to connect, between two reads) for
              each attempt;
    retry=    a Retry for this call, or False to make it once.

With `refs=True` a method returns the pair (body, references). Every method raises InvalidInput before
anything is sent, FlowThingsException if the platform answers with an error, and ConnectionFailed,
DeadlineExceeded or InvalidResponse if there is no usable answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, overload

from ...changes import P
from ...errors import FlowThingsNotFound, InvalidInput
from ...filters.nodes import Filter
from ...green.calls.markers import api_call, chooses, plain, reads
from ...transport.http.urls import check_path, segment
from ...transport.outgoing_values import items, resolve, text
from ..in_parallel import InParallel
from . import bulk_forms
from .arguments import takes_find_parameters, takes_read_parameters
from .pagination import pages

if TYPE_CHECKING:
    from ...transport.http.client import Connection
    from ...transport.retry import Retry
    from .arguments import (
        Extra,
        Filters,
        Id,
        Ids,
        Names,
        Off,
        On,
        References,
        Retries,
        Timeout,
    )

__all__ = ["BaseService", "Findable", "Resource"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultedTypeVar

    R = DefaultedTypeVar("R", default=dict[str, Any])
else:
    R = TypeVar("R")
D = TypeVar("D")


class Resource(TypedDict, total=False):
    """The members that every resource has. Results are plain dicts: these types are for type checkers."""

    id: str
    creationDate: int
    creatorId: str
    lastEditDate: int
    lastEditorId: str


class BaseService(InParallel):
    """A service that sends plain requests below one resource path. `api.root` is one.

    Attributes:
        path: the resource path, such as "/flow". A subclass sets it.
        name: the attribute of every API that holds this service, such as "flow". To add a resource, write a
            module in this folder whose service sets `path` and `name`, and run
            `python -m tools.parallel_types`, which writes it into the registry and the types.
    """

    path = ""
    name = ""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _async_lib(self) -> Any:
        return self.connection.async_lib

    def __repr__(self) -> str:
        account, host = self.connection.creds.account, self.connection.host
        return f"<{type(self).__name__} {self._path_for_repr()} of {account} at {host}>"

    def _path_for_repr(self) -> str:
        """The path that `repr` shows. Unlike `path` it never waits for a thunk."""
        return self.path or "/"

    @property
    def creds(self) -> Any:
        """The API's credentials. Setting them changes them for the whole API."""
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
        """Send any request below this service's path.

        Args:
            method: an HTTP method, or MGET or MPUT.
            path: the rest of the path, which begins with a slash. Ids in it must be percent-encoded.
            data: the body, which is encoded as JSON; None for no body.
            params: query parameters.
            timeout: seconds for this call.
            retry: a Retry for this call, or False to make it once.

        Returns:
            The body of the answer; with `refs` among the parameters, the pair (body, references).
        """
        whole = self.path + check_path(path)
        return self.connection.call(
            method, self._url(whole), whole, data=data, params=params, timeout=timeout, retry=retry
        )

    @api_call
    def raw_request(
        self, method: str, path: str = "", data: Any = None, params: Mapping[str, Any] | None = None
    ) -> tuple[Any, Mapping[str, str], int]:
        """Send data that is already encoded, with these query parameters and not those of the API.

        Returns:
            (text, headers, status) for every status. The encoder's `loads` takes the text.
        """
        return self.connection.send(method, self._url(self.path + check_path(path)), data, params)

    @property
    def __api_alone__(self) -> bool:
        """Whether single calls must not be batched: with `refs` or `only` among the API's own parameters a
        bulk read may return something else than single reads."""
        return bool({"refs", "only"} & self.connection.params.keys())

    def _url(self, path: str) -> str:
        return self.connection.rest_url(path)

    def _call(self, method: str, path: str, data: Any, named: dict[str, Any]) -> Any:
        """`request`, with the keywords of a method."""
        limits = _pop_limits(named)
        return self.request(method, path, data, query_params(named) if named else None, **limits)


def _pop_limits(named: dict[str, Any]) -> dict[str, Any]:
    """Remove `timeout` and `retry` from a method's keywords, and return them."""
    return {name: named.pop(name) for name in ("timeout", "retry") if name in named}


def query_params(named: dict[str, Any]) -> P:
    """The query parameters among a method's keywords: those in `params=`, overridden by the others."""
    more = named.pop("params", None)
    return P(P.of(more).to_dict(), **named)


def id_path(id: Any) -> str:
    """The path of one resource below its service's path.

    Raises:
        InvalidInput: the id is not a non-empty str, or it is "." or "..".
    """
    return "/" + segment(text(id, "an id"))


class Findable(BaseService, Generic[R]):
    """The methods that read: `read`, `read_many`, `find`, `find_many`, `iterate`."""

    @overload
    def read(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> R: ...
    @overload
    def read(self, id: Id, *, refs: On, **params: Any) -> tuple[R, References]: ...
    @bulk_forms.read
    @takes_read_parameters
    def read(self, id: Id, **params: Any) -> Any:
        """Return the resource with this id, a dict. FlowThingsNotFound if there is none."""
        return self._call("GET", id_path(id), None, params)

    @overload
    def read_or_else(self, id: Id, **params: Any) -> R | None: ...
    @overload
    def read_or_else(self, id: Id, default: D, **params: Any) -> R | D: ...
    @reads
    @takes_read_parameters
    def read_or_else(self, id: Id, default: Any = None, **params: Any) -> Any:
        """Return the resource with this id, or `default` if there is none. Other errors are raised."""
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
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> dict[str, R]: ...
    @overload
    def read_many(self, ids: Ids, *, refs: On, **params: Any) -> tuple[dict[str, R], References]: ...
    @reads
    @takes_read_parameters
    def read_many(self, ids: Ids, **params: Any) -> Any:
        """Return the resources with these ids in one request, as a dict of id to resource.

        Without ids it returns {} and sends no request.
        """
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
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> list[R]: ...
    @overload
    def find_many(self, *filters: Filters | str, refs: On, **params: Any) -> tuple[list[R], References]: ...
    @reads
    @takes_find_parameters
    def find_many(self, *filters: Filters | str, **params: Any) -> Any:
        """Return the resources that match all these filters, as a list, newest first.

        Args:
            filters: filters or their texts. Without a filter every resource matches.
            limit: the most resources to return; the platform's default is 20.
            start: how many resources to skip.
            sort: members to sort by; `order` is "asc" or "desc".
            only: the members to return.
            filter: one more filter, or its text.
            refs: whether to return the pair (list, references).
            timeout, retry: the time limit of this call, and its retries.
            params: any other query parameter; `params=` takes a dict of them.
        """
        return self._call("GET", "", None, with_filters(filters, params))

    @overload
    def find(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> R: ...
    @overload
    def find(self, id: Id, *, refs: On, **params: Any) -> tuple[R, References]: ...
    @overload
    def find(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> dict[str, R]: ...
    @overload
    def find(self, ids: Ids, *, refs: On, **params: Any) -> tuple[dict[str, R], References]: ...
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
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> list[R]: ...
    @overload
    def find(self, *filters: Filters, refs: On, **params: Any) -> tuple[list[R], References]: ...
    @chooses("_method_for")
    @takes_find_parameters
    def find(self, *what: Any, **params: Any) -> Any:
        """Call `read`, `read_many` or `find_many`, depending on the first argument.

        A str is an id and is read. A list or tuple of str are ids. Filters are given to `find_many`, which is
        also called without arguments. `find_many` documents the keywords.
        """
        method, what = self._method_for(*what)
        return getattr(self, method)(*what, **params)

    def _method_for(self, *what: Any) -> tuple[str, tuple[Any, ...]]:
        """The name of the method that `find` calls, and its positional arguments."""
        if not what:
            return "find_many", ()
        first = resolve(what[0])
        if isinstance(first, list | tuple) and any(isinstance(part, Filter) for part in first):
            raise InvalidInput("find: give several filters as several arguments, or join them by &")
        if not isinstance(first, str | bytes | list | tuple):
            return "find_many", what
        if len(what) > 1:
            raise InvalidInput(
                "find: an id or a list of ids stands alone; give a filter's text to find_many, or as filter="
            )
        if isinstance(first, str | bytes):
            return "read", (text(first, "an id"),)
        return "read_many", (first,)

    def __api_missing__(self, id: str) -> FlowThingsNotFound:
        """The error of a `read` whose id is missing in the answer to a `read_many`."""
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
        """Iterate over all resources that match the filter, and fetch them page by page.

        The order is that of the ids, which is the order of creation, newest first. Each request asks for the
        resources beyond the last id, so none is skipped or returned twice while others create and delete.
        Resources that are created during the iteration are not visited. With order="asc" they come last.

        Args:
            filter: which resources; all if None.
            page: the number of resources to fetch in one request, 1 to 100,000.
            order: "desc" for the newest first, "asc" for the oldest first.
            params: as for `find_many`, without sort, start, skip and refs. `limit` ends the iteration after
                so many resources. `id` is added to `only`.
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
    """A method's keywords with the filters added, as `filter`."""
    if not filters:
        return params
    also = params.get("filter")
    every = [*filters] if also is None else [*filters, also]
    return {**params, "filter": tuple(every)}
