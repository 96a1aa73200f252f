"""What a handler knows about its call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...wire.grpc.server import ServerCall

__all__ = ["Context", "Handler"]


class Context:
    """What a handler knows about its call.

    Attributes:
        method: the call's path, such as "/v5api.BTrDB/Insert".
        metadata: the call's headers by their lower-case names, without gRPC's own.
        peer: the client's address, for logs.
        deadline: the `time.monotonic()` at which the client stops waiting; None if it waits for ever.
        began: the `time.monotonic()` at which the call came.
        is_handled: whether its handler was started.
    """

    def __init__(self, call: ServerCall, peer: str) -> None:
        self._call = call
        self.method: str = call.method
        self.metadata: Mapping[str, str] = call.metadata
        self.peer = peer
        self.began = time.monotonic()
        self.is_handled = False
        self.deadline: float | None = None if call.timeout is None else self.began + call.timeout

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the answer any more: the client has cancelled the call, its deadline is
        over, or its connection is gone."""
        return self._call.is_cancelled or self.is_late

    @property
    def is_late(self) -> bool:
        """Whether the deadline is over."""
        return self.deadline is not None and time.monotonic() > self.deadline


Handler = Callable[[bytes, Context], bytes | Iterator[bytes]]
"""Answers one call: takes the encoded request, returns the encoded answer, or an iterator of several.

It runs in a thread of the call. It may raise `GrpcError` to end the call with that status. Any other
exception is logged and ends the call with INTERNAL, without a word about it. An iterator is read as fast as
the client reads. It is closed when the client cancels or goes.
"""
