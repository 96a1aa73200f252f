"""The request context: which resource of which account is asked for, by whom, with which parameters.

    /v4.0/acme/drop/f51e6a3c0…/d51e6a3c0…?only=id
     version account resource rest             params

Segments are split before they are percent-decoded, so `/drop/%2Facme%2Fweather` names a flow by its path
in one segment. The doubled slash of old clients, `/drop//acme/weather`, means the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote

from .. import ids
from ..problems import BadRequest, NotFound
from ..resources.query import misspellings
from ..resources.query.query import YES, switch
from . import body

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..resources.access.accounts import Accounts
    from ..resources.access.rights import Caller
    from ..resources.drops.resource_store import ResourceStore
    from ..resources.statistics.api_calls import ApiCallCounter

_UNREAD: Any = object()


class Target(NamedTuple):
    """What a URL's path names: a version, an account, a resource and what follows it, decoded."""

    version: str
    account: str
    resource: str
    rest: tuple[str, ...]


class Request:
    """One request of an authenticated caller.

    Attributes:
        params: the query's parameters, each with all its values.

    Raises:
        BadRequest: the query is no query, or has a parameter that is a near miss of one that is known.
    """

    __slots__ = (
        "_before_large",
        "_body",
        "_environ",
        "_max_body",
        "_parsed",
        "_received",
        "accounts",
        "caller",
        "calls",
        "params",
        "store",
        "target",
    )

    def __init__(
        self,
        environ: dict[str, Any],
        target: Target,
        caller: Caller,
        *,
        store: ResourceStore,
        accounts: Accounts,
        calls: ApiCallCounter,
        before_large: Callable[[], object] = lambda: None,
        max_body: int = body.LIMIT,
        received: Callable[[int], object] = lambda size: None,
    ) -> None:
        self._before_large = before_large
        self._max_body = max_body
        self._received = received
        self._parsed: Any = _UNREAD
        self._environ = environ
        self._body = b""
        self.params = query(environ)
        misspellings.check(self.params, misspellings.PARAMETERS, "parameter")
        self.target = target
        self.store = store
        self.accounts = accounts
        self.caller = caller
        self.calls = calls

    def body(self) -> Any:
        """The body as a JSON value; raises BadRequest, TooLarge or RequestTimeout."""
        if self._parsed is _UNREAD:
            self._body = body.receive(self._environ, self._max_body, self._before_large)
            self._received(len(self._body))
            self._parsed = body.parse(self._body)
        return self._parsed

    def text(self) -> bytes:
        """What distinguishes this request from others: method, path, query, and the body if it was read."""
        environ = self._environ
        where = environ.get("RAW_URI") or f"{raw_path(environ)}?{environ.get('QUERY_STRING')}"
        return f"{environ['REQUEST_METHOD']} {where}\n".encode() + self._body

    @property
    def typed(self) -> bool:
        """Whether elements are shown as {type, value}: as `hints` says, else as the version's default is."""
        hints = switch(self.params, "hints")
        return self.target.version.startswith("v0") if hints is None else hints

    @property
    def refs(self) -> bool:
        """Whether the response is to hold what its objects refer to."""
        return switch(self.params, "refs") is True

    @property
    def each(self) -> bool:
        """Whether each of several finds is to have its own result, in a list."""
        return switch(self.params, "each") is True

    @property
    def explain(self) -> bool:
        """Whether to explain how a find would be done instead of doing it."""
        return switch(self.params, "explain") is True


def query(environ: dict[str, Any]) -> dict[str, list[str]]:
    """The query's parameters, each with all its values, the empty ones too."""
    text = environ.get("QUERY_STRING")
    if not text:
        return {}
    try:
        return parse_qs(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequest("the query is not percent-encoded UTF-8") from None


def pretty(environ: dict[str, Any]) -> bool:
    """Whether the reader asked for indented JSON."""
    text = environ.get("QUERY_STRING") or ""
    return "pretty=" in text and any(f"pretty={yes}" in text.split("&") for yes in YES)


def raw_path(environ: dict[str, Any]) -> str:
    """The path as it stood in the request, still percent-encoded."""
    raw: str | None = environ.get("RAW_URI")
    if raw is None:
        return quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    raw = raw.partition("?")[0]
    if not raw.startswith("/") and "://" in raw:  # a proxy's absolute form
        raw = "/" + raw.split("://", 1)[1].partition("/")[2]
    return raw


def target(path: str) -> Target:
    """What the percent-encoded path names.

    Raises:
        NotFound: it does not have the shape /v…/account/resource.
        BadRequest: a segment is not percent-encoded UTF-8.
    """
    if "%" in path:
        try:
            segments = [unquote(segment, errors="strict") for segment in path.split("/")]
        except UnicodeDecodeError:
            raise BadRequest("the path is not percent-encoded UTF-8") from None
    else:
        segments = path.split("/")
    while segments and not segments[-1]:
        segments.pop()
    if len(segments) < 4 or segments[0] or segments[1][:1] != "v" or not segments[2]:
        raise NotFound(f"there is nothing at {path}: paths look like /v4.0/account/flow")
    _, version, account, resource, *rest = segments
    if resource == "drop" and len(rest) > 1 and not rest[0]:
        rest = _spread(rest[1:])
    return Target(version, account, resource, tuple(rest))


def _spread(segments: list[str]) -> list[str]:
    """A flow's path given as several segments, joined, and what follows it: a drop's id or `aggregate`."""
    end = next((index for index, segment in enumerate(segments) if ids.is_id(segment, "d")), len(segments))
    if end == len(segments) > 2 and segments[-1] == "aggregate":
        end -= 1
    return ["/" + "/".join(segments[:end]), *segments[end:]]
