"""Queries and procedures: what a Client may be asked to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from ...diagnostics.checks.seen_running import foreign_call
from ...errors import InvalidInput
from ...green.calls.marks import begins
from ...transport.values import text
from ...wire.things.code import strip_code
from ...wire.things.packages import Kind, Package
from .answers import value_of
from .arguments import check_scope, check_variables, deadline_in
from .builtins import Builtins
from .query_future import QueryFuture

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Calls"]

# Plain numbers, as looking up an Enum's member takes a while.
_QUERY, _RUN = int(Kind.QUERY), int(Kind.RUN)

CLOSE_WITHIN = 1.0
"""Seconds to wait for the end of a connection that was opened for one call."""

_Request: TypeAlias = "tuple[Any, float | None, bool]"  # content, timeout, idempotent


class Calls(Builtins):
    """The part of a Client that makes calls."""

    _scope: str
    _timeout: float | None
    _session: Session | None

    def _connected(self) -> Session:
        """The session; begins one if the client knows its nodes."""
        raise NotImplementedError

    def _elsewhere(self, home: Session) -> Session:
        """A session for one call in another OS thread than that of the client's own session."""
        raise NotImplementedError

    @begins("_begin_query")
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
        """Run code and return what its last statement comes to.

        Args:
            code: what to run.
            scope: where; None in the default scope.
            timeout: seconds to wait, also while there is no connection; None for the client's own.
            skip_strip_code: leave blanks and a comment at the start, so that line numbers in errors match.
            idempotent: it does no harm if it runs twice. Then it is sent again when the connection breaks
                before the answer has come.
            variables: what the code may use, by name; for names that are arguments here.
            kwargs: more of them.

        Raises:
            ThingsDBError: what the code raised, or why the node would not run it; see `things_errors`.
            ConnectionFailed: the connection broke; if its `sent` is true, the code may have run.
            DeadlineExceeded: no result in time. The code may run all the same.
            InvalidResponse: the result does not decode. No other call is affected.
        """
        asked = self._asked(code, scope, timeout, skip_strip_code, idempotent, variables, **kwargs)
        return value_of(self._request(_QUERY, *asked))

    @begins("_begin_raw")
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
        """Like `query`, but return the result as it came: MessagePack."""
        asked = self._asked(code, scope, timeout, skip_strip_code, idempotent, variables, **kwargs)
        return self._request(_QUERY, *asked).body

    @begins("_begin_run")
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
        asked = self._called(procedure, *args, scope=scope, timeout=timeout, idempotent=idempotent, **kwargs)
        return value_of(self._request(_RUN, *asked))

    def _emit(
        self,
        room: int | str,
        event: str,
        *args: Any,
        scope: str | None = None,
        peers_only: bool = False,
        timeout: float | None = None,
    ) -> None:
        """What Room.emit does."""
        kind, content = self._emitted(room, event, *args, scope=scope, peers_only=peers_only)
        self._request(kind, content, timeout)

    # How they are made

    def _emitted(
        self, room: int | str, event: str, *args: Any, scope: str | None, peers_only: bool
    ) -> tuple[Kind, list[Any]]:
        """An emit's arguments as the request they make."""
        if not isinstance(event, str):
            raise InvalidInput(f"an event's name is a str, not {type(event).__name__}")
        session = self._session
        if peers_only and session is not None and not session.is_here():
            raise foreign_call()  # over another connection it would be heard here as well
        kind = Kind.EMIT_PEER if peers_only else Kind.EMIT
        return kind, [scope or self._scope, room, event, *args]

    def _begin_emit(self, *args: Any, timeout: float | None, **kwargs: Any) -> QueryFuture | None:
        return self._begin_request(*self._emitted(*args, **kwargs), timeout, False, value_of)

    def _begin_query(self, *args: Any, **kwargs: Any) -> QueryFuture | None:
        return self._begin_request(_QUERY, *self._asked(*args, **kwargs), value_of)

    def _begin_raw(self, *args: Any, **kwargs: Any) -> QueryFuture | None:
        return self._begin_request(_QUERY, *self._asked(*args, **kwargs), attrgetter("body"))

    def _begin_run(self, *args: Any, **kwargs: Any) -> QueryFuture | None:
        return self._begin_request(_RUN, *self._called(*args, **kwargs), value_of)

    def _asked(
        self,
        code: str,
        scope: str | None = None,
        timeout: float | None = None,
        skip_strip_code: bool = False,
        idempotent: bool = False,
        variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> _Request:
        """A query's arguments as the request they make."""
        if type(code) is not str:
            code = text(code, "code")
        content: list[Any] = [
            self._scope if scope is None else check_scope(scope),
            code if skip_strip_code else strip_code(code),
        ]
        if kwargs or variables:
            content.append(check_variables(variables, kwargs))
        return content, timeout, idempotent

    def _called(
        self,
        procedure: str,
        *args: Any,
        scope: str | None = None,
        timeout: float | None = None,
        idempotent: bool = False,
        **kwargs: Any,
    ) -> _Request:
        """A procedure's arguments as the request they make."""
        if args and kwargs:
            raise InvalidInput("give a procedure its arguments in order or by name, not both")
        content: list[Any] = [
            self._scope if scope is None else check_scope(scope),
            text(procedure, "a procedure's name"),
        ]
        if args or kwargs:
            content.append(args or kwargs)
        return content, timeout, idempotent

    def _begin_request(
        self,
        kind: int,
        content: Any,
        timeout: float | None,
        idempotent: bool,
        value_of: Callable[[Package], Any],
    ) -> QueryFuture | None:
        session = self._session
        if session is None or not session.is_here():
            return None
        deadline = deadline_in(self._timeout if timeout is None else timeout)
        return QueryFuture.send(session, kind, content, deadline, idempotent, value_of)

    def _request(self, kind: int, content: Any, timeout: float | None, idempotent: bool = False) -> Package:
        session = self._session or self._connected()
        deadline = deadline_in(self._timeout if timeout is None else timeout)
        if session.is_here():
            return session.request(kind, content, deadline, idempotent=idempotent)[1]
        session = self._elsewhere(session)
        try:
            return session.request(kind, content, deadline, idempotent=idempotent)[1]
        finally:
            session.close()
            session.supervisor.wait_closed(CLOSE_WITHIN)
