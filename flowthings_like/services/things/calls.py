"""Calls: the methods of a Client that run queries and procedures, and emit events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...green.calls.markers import sends_at_once
from ...green.wrong_thread import foreign_call
from ...telemetry.event import Family
from ...telemetry.observers import Observed, begin, observers
from ...transport.call_scope import limit_call
from ...transport.outgoing_values import text
from ...wire.things.code import strip_code
from ...wire.things.packages import Kind, Package
from .answers import value_of
from .arguments import check_scope, check_variables, deadline_in
from .builtins import Builtins
from .observed_query import ObservedQuery
from .query_future import QueryFuture

if TYPE_CHECKING:
    from ...green.calls.sent_call import SentCall
    from .session import Session

__all__ = ["Calls"]

# Plain numbers, because looking up an Enum's member takes longer.
_QUERY, _RUN = int(Kind.QUERY), int(Kind.RUN)
_NAMES = {_QUERY: "query", _RUN: "run", int(Kind.EMIT): "emit", int(Kind.EMIT_PEER): "emit"}

CLOSE_WITHIN = 1.0
"""Seconds to wait for the end of a connection that was opened for one call."""


class _Request:
    """A request, as the arguments of a call describe it.

    Attributes:
        kind, content: what is sent.
        timeout: seconds; None for the client's own.
        idempotent: whether it may run twice.
    """

    __slots__ = ("content", "idempotent", "kind", "timeout")

    def __init__(self, kind: int, content: list[Any], timeout: float | None, idempotent: bool) -> None:
        self.kind = kind
        self.content = content
        self.timeout = timeout
        self.idempotent = idempotent


class Calls(Builtins):
    """The part of a Client that makes calls."""

    _scope: str
    _timeout: float | None
    _session: Session | None

    def _opened(self) -> Session:
        """The session; made now if the client knows its nodes."""
        raise NotImplementedError

    def _session_for_thread(self, session: Session) -> Session:
        """A session for one call, in another OS thread than that of the client's own session."""
        raise NotImplementedError

    @sends_at_once("_send_query")
    def query(
        self,
        code: str,
        scope: str | None = None,
        timeout: float | None = None,
        skip_strip_code: bool = False,
        idempotent: bool = False,
        variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run code and return the value of its last statement.

        Args:
            code: the code.
            scope: where it runs; None for the default scope.
            timeout: seconds to wait, also while there is no connection; None for the client's own.
            skip_strip_code: keep blanks and a comment at the start, so that line numbers in errors match.
            idempotent: the code may run twice. Then it is sent again when the connection breaks before the
                answer has come.
            variables: variables of the code, by name, also those whose names are arguments of this method.
            kwargs: more variables.

        Raises:
            ThingsDBError: the code raised it, or the node refused to run the code; see `things_errors`.
            ConnectionFailed: the connection broke; if its `sent` is true, the code may have run.
            DeadlineExceeded: no result in time. The code may run all the same.
            InvalidResponse: the result does not decode. No other call is affected.
        """
        request = self._query_request(code, scope, timeout, skip_strip_code, idempotent, variables, **kwargs)
        return value_of(self._answer(request))

    @sends_at_once("_send_raw")
    def query_raw(
        self,
        code: str,
        scope: str | None = None,
        timeout: float | None = None,
        skip_strip_code: bool = False,
        idempotent: bool = False,
        variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> bytes:
        """Like `query`, but return the result's MessagePack as it came."""
        request = self._query_request(code, scope, timeout, skip_strip_code, idempotent, variables, **kwargs)
        return self._answer(request).body

    @sends_at_once("_send_run")
    def run(
        self,
        procedure: str,
        *args: Any,
        scope: str | None = None,
        timeout: float | None = None,
        idempotent: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run a procedure and return its result.

        Args:
            procedure: its name.
            args: its arguments; or by name, as `kwargs`.
            scope, timeout, idempotent: as for `query`.

        Raises:
            InvalidInput: both `args` and `kwargs` were given. And what `query` raises.
        """
        request = self._run_request(
            procedure, *args, scope=scope, timeout=timeout, idempotent=idempotent, **kwargs
        )
        return value_of(self._answer(request))

    def _emit(self, *args: Any, **kwargs: Any) -> None:
        """Emit an event, for Room.emit; takes the arguments of `_emit_request`."""
        self._answer(self._emit_request(*args, **kwargs))

    # The same for `lazy()`: sends the request and returns its future, or None if it would have to wait

    def _send_query(self, *args: Any, **kwargs: Any) -> SentCall | None:
        return self._begin(self._query_request(*args, **kwargs), value_of)

    def _send_raw(self, *args: Any, **kwargs: Any) -> SentCall | None:
        return self._begin(self._query_request(*args, **kwargs), attrgetter("body"))

    def _send_run(self, *args: Any, **kwargs: Any) -> SentCall | None:
        return self._begin(self._run_request(*args, **kwargs), value_of)

    def _send_emit(self, *args: Any, **kwargs: Any) -> SentCall | None:
        return self._begin(self._emit_request(*args, **kwargs), value_of)

    # The request that the arguments of a call describe

    def _query_request(
        self,
        code: str,
        scope: str | None = None,
        timeout: float | None = None,
        skip_strip_code: bool = False,
        idempotent: bool = False,
        variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> _Request:
        if type(code) is not str:
            code = text(code, "code")
        content: list[Any] = [
            self._scope if scope is None else check_scope(scope),
            code if skip_strip_code else strip_code(code),
        ]
        if kwargs or variables:
            content.append(check_variables(variables, kwargs))
        return _Request(_QUERY, content, timeout, idempotent)

    def _run_request(
        self,
        procedure: str,
        *args: Any,
        scope: str | None = None,
        timeout: float | None = None,
        idempotent: bool = False,
        **kwargs: Any,
    ) -> _Request:
        if args and kwargs:
            raise InvalidInput("give a procedure its arguments in order or by name, not both")
        content: list[Any] = [
            self._scope if scope is None else check_scope(scope),
            text(procedure, "a procedure's name"),
        ]
        if args or kwargs:
            content.append(args or kwargs)
        return _Request(_RUN, content, timeout, idempotent)

    def _emit_request(
        self,
        room: int,
        event: str,
        *args: Any,
        scope: str | None = None,
        peers_only: bool = False,
        timeout: float | None = None,
    ) -> _Request:
        if not isinstance(event, str):
            raise InvalidInput(f"an event's name is a str, not {type(event).__name__}")
        session = self._session
        if peers_only and session is not None and not session.is_in_this_thread():
            raise foreign_call()  # over another connection this client would get the event too
        kind = Kind.EMIT_PEER if peers_only else Kind.EMIT
        return _Request(kind, [scope or self._scope, room, event, *args], timeout, False)

    # How a request is made

    def _begin(self, request: _Request, value_of: Callable[[Package], Any]) -> SentCall | None:
        session = self._session
        if session is None or not session.is_in_this_thread():
            return None
        sent = QueryFuture.send(
            session, request.kind, request.content, self._deadline(request), request.idempotent, value_of
        )
        if sent is not None and observers:
            event = begin(Family.THINGS, _NAMES[request.kind], _host(session))
            return ObservedQuery(sent, event)
        return sent

    def _answer(self, request: _Request) -> Package:
        if observers:
            with Observed(Family.THINGS, _NAMES[request.kind]) as event:
                answer = self._answered(request)
                event.host = _host(self._session)
                return answer
        return self._answered(request)

    def _answered(self, request: _Request) -> Package:
        session, deadline = self._session or self._opened(), self._deadline(request)
        if session.is_in_this_thread():
            return _ask(session, request, deadline)
        session = self._session_for_thread(session)
        try:
            return _ask(session, request, deadline)
        finally:
            session.close()
            session.supervisor.wait_closed(CLOSE_WITHIN)

    def _deadline(self, request: _Request) -> float | None:
        return limit_call(deadline_in(self._timeout if request.timeout is None else request.timeout))


def _ask(session: Session, request: _Request, deadline: float | None) -> Package:
    return session.request(request.kind, request.content, deadline, idempotent=request.idempotent)[1]


def _host(session: Session | None) -> str:
    """The node's address, for observers; "" if there is no connection."""
    connection = None if session is None else session.current
    return "" if connection is None else connection.peer
