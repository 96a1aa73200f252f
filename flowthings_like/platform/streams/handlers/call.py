"""What all handlers share: who calls, and how a problem is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from google.protobuf.message import DecodeError

from ....errors import InvalidResponse
from ....wire.grpc.status import GrpcError, StatusCode
from ..problems import Code, StreamProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...grpc.context import Context, Handler
    from ..store import StreamStore

__all__ = ["Call", "optional_values", "streaming", "unary", "uuid_of"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an account.

    Attributes:
        store: where the account's streams are.
        account: whose key the call has.
        request: the encoded request.
        context: what the server knows about the call.
    """

    store: StreamStore
    account: str
    request: bytes
    context: Context

    def parse(self, cls: Any, request: bytes | None = None) -> Any:
        """The request as a message of a class. Raises GrpcError if it is none."""
        try:
            return cls.FromString(self.request if request is None else request)
        except DecodeError:
            raise _invalid(cls) from None


def unary(
    store: StreamStore,
    authenticate: Callable[[Context], str],
    answer: Any,
    work: Callable[[Call], Any],
) -> Handler:
    """A handler of calls with one answer.

    Args:
        store: where the streams are.
        authenticate: returns the account of a call, or raises GrpcError.
        answer: the class of the answer, which has a field `stat`.
        work: returns the answer, or raises StreamProblem.
    """

    def handle(request: bytes, context: Context) -> bytes:
        call = Call(store, authenticate(context), request, context)
        try:
            encoded: bytes = work(call).SerializeToString()
        except StreamProblem as problem:
            return _refusal(answer, problem)
        except InvalidResponse as error:  # what the codec of points calls a message that is none
            raise GrpcError(StatusCode.INVALID_ARGUMENT, str(error)) from None
        return encoded

    return handle


def streaming(
    store: StreamStore,
    authenticate: Callable[[Context], str],
    answer: Any,
    work: Callable[[Call], Iterable[bytes]],
) -> Handler:
    """A handler of calls with any number of answers; `work` returns them encoded. See `unary`."""

    def handle(request: bytes, context: Context) -> Iterator[bytes]:
        # Not within the generator: the caller is refused before anything is read.
        return answers(Call(store, authenticate(context), request, context))

    def answers(call: Call) -> Iterator[bytes]:
        try:
            for encoded in work(call):
                if call.context.is_cancelled:
                    return
                yield encoded
        except StreamProblem as problem:
            yield _refusal(answer, problem)

    return handle


def uuid_of(data: bytes) -> UUID:
    """The UUID in a request. Raises WRONG_ARGUMENTS if it is none."""
    if len(data) != 16:
        raise StreamProblem(Code.WRONG_ARGUMENTS, f"a uuid has 16 bytes, not {len(data)}")
    return UUID(bytes=data)


def optional_values(pairs: Iterable[Any]) -> dict[str, str | None]:
    """Keys with their values; None where a key has no value."""
    return {pair.key: pair.val.value if pair.HasField("val") else None for pair in pairs}


def _refusal(answer: Any, problem: StreamProblem) -> bytes:
    message = answer()
    message.stat.code = int(problem.code)
    message.stat.msg = problem.message
    encoded: bytes = message.SerializeToString()
    return encoded


def _invalid(cls: Any) -> GrpcError:
    return GrpcError(StatusCode.INVALID_ARGUMENT, f"the request is not a {cls.DESCRIPTOR.name}")
