"""The platform's HTTP front: a WSGI application that turns a request into an envelope.

It authenticates the caller, applies the limits and calls the handler that the router finds. It keeps no state
but the store's, so any number of threads and processes may run one each over the same store.
"""

from __future__ import annotations

import gzip
import io
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from ...errors import InvalidInput
from ...green.backends.choice import native
from ...wire.rest import AUTH_ACCOUNT, AUTH_TOKEN
from ..permits import PermitLimits, Permits
from ..problems import BadRequest, Forbidden, MethodNotAllowed, Problem, Unauthorized
from ..resources import script_reads
from ..resources.access.device_sightings import DeviceSightings
from ..resources.base import registry
from ..resources.statistics.api_calls import ApiCallCounter
from . import openapi
from . import request as requests_in
from .body import LIMIT as LARGEST_BODY
from .early_authorization import refuse_early
from .envelope import REASONS, Response, encode, failed
from .idempotency import IdempotencyKeys
from .rates import Rate, RateLimiter
from .request import Request, Target
from .routes import Router, allowed, handler_of
from .search_limits import Search, SearchLimiter, SearchLimits

if TYPE_CHECKING:
    from ..resources.access.accounts import Accounts
    from ..resources.access.rights import Caller
    from ..resources.drops.resource_store import ResourceStore
    from .search_limits import Handler

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

VERSION = "v4.0"
"""The version of requests that name none: their elements are plain unless they ask for typed ones."""

_COMPRESSED_FROM = 1400
"""Bytes from which a response is compressed: more than one network packet."""
_COMPRESSED_IN_THREAD_FROM = 256 * 1024
"""Bytes from which a native thread compresses, so that other requests go on meanwhile."""
_ACCEPTS_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")

log = logging.getLogger("flowthings_like.platform")


_BODIES = PermitLimits(per_caller=2, total=4, waiting=100)


@dataclass(frozen=True)
class Limits:
    """Limits on the requests of a served platform, in each process.

    Attributes:
        searches: finds and aggregates.
        bodies: how many bodies of more than `body.LARGE` bytes are held at once.
        max_body: most bytes of a body, compressed or not.
        request_rate: how many requests each token may send; None for any number.
        byte_rate: how many bytes of bodies each token may send; None for any number.
    """

    searches: SearchLimits = field(default_factory=SearchLimits)
    bodies: PermitLimits = _BODIES
    max_body: int = LARGEST_BODY
    request_rate: Rate | None = None
    byte_rate: Rate | None = None


class Application:
    """The platform as a WSGI application.

    Args:
        store: all its data.
        accounts: authenticates callers. Trusted ones are in this process and get no compressed responses.
        limits: what requests may use; None: as much as they need, for callers in this process.
    """

    def __init__(self, store: ResourceStore, accounts: Accounts, limits: Limits | None = None) -> None:
        self._router = Router(registry.resources().values())
        self._openapi: bytes | None = None  # made when it is first asked for
        self._store = store
        self._accounts = accounts
        self._calls = ApiCallCounter(store)
        self._sightings = DeviceSightings(store)
        self._keys = IdempotencyKeys()
        self._searches = None if limits is None else SearchLimiter(limits.searches)
        self._bodies = None if limits is None else Permits("large bodies", limits.bodies)
        limits = limits or Limits()
        self._max_body = limits.max_body
        self._requests = _limiter("requests", limits.request_rate)
        self._bytes = _limiter("bytes", limits.byte_rate)
        store.script_reads = script_reads.read
        store.indexing.wake()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 says."""
        started = time.perf_counter()
        method: str = environ["REQUEST_METHOD"]
        path = requests_in.raw_path(environ)
        response = self.guarded(lambda: self._handle(environ, method, path), f"{method} {path}")
        content = self.send(environ, start_response, response)
        if log.isEnabledFor(logging.INFO):
            ms = (time.perf_counter() - started) * 1000
            said = {"method": method, "path": path, "status": response.status, "ms": round(ms, 1)}
            log.info("%s %s %d %.1f ms", method, path, response.status, ms, extra={"answered": said})
        return content

    def send(self, environ: Environ, start_response: StartResponse, response: Response) -> Iterable[bytes]:
        """Encode a response, compressed if that pays and the client takes it, and start it."""
        content = encode(response, requests_in.pretty(environ))
        headers = [("Content-Type", "application/json; charset=utf-8"), *response.headers]
        if len(content) >= _COMPRESSED_FROM and self._accepts_gzip(environ):
            in_thread = len(content) >= _COMPRESSED_IN_THREAD_FROM
            content = native(_compress, content) if in_thread else _compress(content)
            headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        headers.append(("Content-Length", str(len(content))))
        start_response(REASONS[response.status], headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]

    def close(self) -> None:
        """Write the counts that are still in memory. The caller closes the store."""
        self._calls.flush()
        self._sightings.flush()

    def guarded(self, work: Callable[[], Response], what: str) -> Response:
        """What `work` returns, or the response that reports what it raises. `what` is for the log."""
        try:
            return work()
        except MethodNotAllowed as problem:
            response = failed(problem)
            response.headers.append(("Allow", ", ".join(problem.allowed)))
        except Unauthorized as problem:
            response = failed(problem)
            response.headers.append(("WWW-Authenticate", AUTH_TOKEN))
        except Problem as problem:
            response = failed(problem)
        except InvalidInput as error:
            response = failed(BadRequest(str(error)))
        except Exception:
            log.exception("%s failed", what)
            response = failed(Problem("the platform failed, its log says why"))
        return response

    def _handle(self, environ: Environ, method: str, path: str) -> Response:
        if path == openapi.PATH:
            return self._document(method)
        target = requests_in.target(path)
        found = self._router.methods(target)
        if method == "OPTIONS":
            return Response({}, headers=[("Allow", ", ".join(allowed(found)))])
        handler = handler_of(found, method)
        named = environ.get("HTTP_X_AUTH_ACCOUNT")
        if named and named != target.account:
            raise Forbidden(f"{AUTH_ACCOUNT} is {named!r}, the path's account is {target.account!r}")
        caller = self._accounts.caller(environ.get("HTTP_X_AUTH_TOKEN"), target.account)
        return self._perform(environ, method, target, handler, caller)

    def call(
        self,
        caller: Caller,
        method: str,
        resource: str,
        rest: tuple[str, ...] = (),
        params: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Response:
        """Answer a caller whom another front has authenticated, with the same limits as over HTTP.

        Args:
            method: the verb.
            resource, rest: the segments of the path after the account.
            params: the query's parameters.
            body: a JSON value.
        """
        content = orjson.dumps(body)
        environ: Environ = {
            "REQUEST_METHOD": method,
            "QUERY_STRING": urlencode(params or {}),
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
        }
        target = Target(VERSION, caller.account, resource, rest)

        def work() -> Response:
            handler = handler_of(self._router.methods(target), method)
            return self._perform(environ, method, target, handler, caller)

        return self.guarded(work, f"live {method} {resource}")

    def _perform(
        self, environ: Environ, method: str, target: Target, handler: Handler, caller: Caller
    ) -> Response:
        who = (caller.identity, caller.token)  # permits and rates are counted by this
        received = _ignore
        if self._requests is not None:
            self._requests.take(who)
        if self._bytes is not None:
            self._bytes.take(who, 0.0)
            received = partial(self._bytes.charge, who)
        self._calls.count(caller.identity)
        self._sightings.note(caller)
        refuse_early(method, target, caller)
        with ExitStack() as held:
            bodies = self._bodies
            request = Request(
                environ,
                target,
                caller,
                store=self._store,
                accounts=self._accounts,
                calls=self._calls,
                before_large=lambda: bodies and held.enter_context(bodies.hold(who)),
                max_body=self._max_body,
                received=received,
            )
            key = environ.get("HTTP_IDEMPOTENCY_KEY")
            if key is not None:
                request.store = self._keys.once(request, key, environ["HTTP_X_AUTH_TOKEN"])
            if self._searches is not None and isinstance(handler, Search):
                if method not in ("GET", "HEAD"):
                    request.body()  # before the permit is taken: receiving it may take long
                return self._searches.run(lambda: handler(request), who, _hung_up(environ))
            return handler(request)

    def _document(self, method: str) -> Response:
        """The OpenAPI document, as text, which needs no envelope and no token."""
        found = openapi.METHODS
        if method not in found:
            raise MethodNotAllowed(f"{method} means nothing here: {', '.join(found)} do", found)
        if method == "OPTIONS":
            return Response({}, headers=[("Allow", ", ".join(found))])
        if self._openapi is None:
            self._openapi = orjson.dumps(openapi.document(self._router.routes(), VERSION))
        return Response({}, text=self._openapi)

    def _accepts_gzip(self, environ: Environ) -> bool:
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        return bool(_ACCEPTS_GZIP.search(accepted)) and not self._accounts.is_trusted(
            environ.get("HTTP_X_AUTH_TOKEN")
        )


def _hung_up(environ: Environ) -> Callable[[], bool] | None:
    """The function that tells whether the client has hung up, if the server has one."""
    found: Callable[[], bool] | None = environ.get("flowthings.is_gone")
    return found or getattr(environ.get("gunicorn.socket"), "is_gone", None)


def _limiter(what: str, rate: Rate | None) -> RateLimiter | None:
    return None if rate is None else RateLimiter(what, rate)


def _ignore(_: int) -> None:
    pass


def _compress(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)
