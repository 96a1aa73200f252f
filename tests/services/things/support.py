"""A node with scripted answers, and rooms that record what they receive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flowthings_like import Room, event
from flowthings_like.wire.things.packages import EVENT_ID, Kind, Package, package
from flowthings_like.wire.things.values import pack, unpack

from ...transport.things.scripted_node import Node, Session, wait_until

STUFF = "@collection:stuff"
USER = ("ada", "correct horse")


class Script:
    """The answers of a node. A query returns its code or its variables, unless `queries` says otherwise.

    Attributes:
        rooms: (scope, id) of those that exist.
        asked: (kind, body) of what came, but for pings and log-ins.
        queries: called with (code, variables); returns a value, (code, message) of an error, or bytes to send
            as a body.
        accept: the log-ins that are good.
        called: how events call the scope, where that is not its name.
        mute: kinds that are not answered.
        joined: the sessions in each room.
    """

    def __init__(self, *rooms: int) -> None:
        self.rooms = {(STUFF, id) for id in rooms}
        self.asked: list[tuple[Kind, Any]] = []
        self.queries: Callable[[str, dict[str, Any]], Any] = lambda code, variables: variables or code
        self.accept = [list(USER)]
        self.mute: set[Kind] = set()
        self.joined: dict[tuple[str, int], list[Session]] = {}
        self.called: dict[str, str | None] = {}

    def __call__(self, session: Session, request: Package) -> bytes | None:
        kind = Kind(request.kind)
        if kind is Kind.PING:
            return None if kind in self.mute else package(Kind.PONG, request.id)
        body = unpack(request.body)
        if kind is Kind.AUTH:
            return _ok(request) if body in self.accept else error(request, -56, "who are you")
        self.asked.append((kind, body))
        if kind in self.mute:
            return None
        return getattr(self, f"_{kind.name.lower()}")(session, request, *body)

    def count(self, kind: Kind) -> int:
        return sum(asked == kind for asked, _ in self.asked)

    def say(self, kind: Kind, id: int, scope: str = STUFF, **more: Any) -> bytes:
        """An event of a room."""
        scope_said = self.called.get(scope, scope)
        said = {"id": id, **more} if scope_said is None else {"scope": scope_said, "id": id, **more}
        return package(kind, EVENT_ID, pack(said))

    def emit(self, id: int, name: str, *args: Any, scope: str = STUFF) -> None:
        """Emit into a room, as another client would."""
        for session in self.joined.get((STUFF, id), ()):
            with suppress(OSError):  # that connection is closed
                session.send(self.say(Kind.ROOM_EMIT, id, scope, event=name, args=list(args)))

    def _query(
        self, session: Session, request: Package, scope: str, code: str, variables: Any = None
    ) -> bytes:
        found = self.queries(code, variables or {})
        if isinstance(found, tuple):
            return error(request, *found)
        body = found if isinstance(found, bytes) else pack(found)
        return package(Kind.DATA, request.id, body)

    def _run(self, session: Session, request: Package, *body: Any) -> bytes:
        return package(Kind.DATA, request.id, pack(list(body)))

    def _join(self, session: Session, request: Package, scope: str, *ids: int) -> bytes:
        if scope not in {scope for scope, _ in self.rooms}:
            return error(request, -54, f"no collection {scope}")
        found = [id if (scope, id) in self.rooms else None for id in ids]
        said = package(Kind.DATA, request.id, pack(found))
        for id in found:
            if id is not None and session not in self.joined.setdefault((scope, id), []):
                self.joined[scope, id].append(session)
                said += self.say(Kind.ROOM_JOIN, id, scope)
        return said

    def _leave(self, session: Session, request: Package, scope: str, *ids: int) -> bytes:
        if scope not in {scope for scope, _ in self.rooms}:
            return error(request, -54, f"no collection {scope}")
        said = b""
        for id in ids:
            if session in self.joined.get((scope, id), ()):
                self.joined[scope, id].remove(session)
                said += self.say(Kind.ROOM_LEAVE, id, scope)
        return said + package(
            Kind.DATA, request.id, pack([id if (scope, id) in self.rooms else None for id in ids])
        )

    def _emit(self, session: Session, request: Package, scope: str, id: int, name: str, *args: Any) -> bytes:
        if (scope, id) not in self.rooms:
            return error(request, -54, f"no room {id} in {scope}")
        self.emit(id, name, *args)
        return _ok(request)


def error(request: Package, code: int, message: str) -> bytes:
    return package(Kind.ERROR, request.id, pack({"error_code": code, "error_msg": message}))


def _ok(request: Package) -> bytes:
    return package(Kind.OK, request.id)


class Heard(Room):
    """Records the events and the calls of its hooks."""

    def __init__(self, room: int | str, scope: str | None = "//stuff") -> None:
        super().__init__(room, scope)
        self.heard: list[Any] = []

    def on_init(self) -> None:
        self.heard.append("init")

    def on_join(self) -> None:
        self.heard.append("join")

    def on_leave(self) -> None:
        self.heard.append("leave")

    def on_delete(self) -> None:
        self.heard.append("delete")

    @event("msg")
    def on_msg(self, *args: Any) -> None:
        self.heard.append(args[0] if len(args) == 1 else args)

    def on_emit(self, event: str, *args: Any) -> None:
        self.heard.append((event, *args))

    def expect(self, *heard: Any) -> None:
        """Wait until exactly this is recorded."""
        try:
            wait_until(lambda: len(self.heard) >= len(heard))
        except AssertionError:
            raise AssertionError(f"heard {self.heard}, not {heard}") from None
        assert self.heard == list(heard)


def url(node: Node, user: str = USER[0], password: str = USER[1]) -> str:
    """The node's URL, with credentials."""
    return node.url.replace("://", f"://{user}:{password.replace(' ', '%20')}@", 1)
