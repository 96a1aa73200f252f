"""The headers of a call: gRPC's own, and those that the caller adds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...errors import InvalidInput

__all__ = [
    "CONTENT_TYPE",
    "Header",
    "check_metadata",
    "check_method",
    "is_grpc",
    "own_metadata",
    "request_headers",
]

Header = tuple[bytes, bytes]

CONTENT_TYPE = b"application/grpc"
_RESERVED = (b"content-type", b"te", b"host", b"connection", b"content-length", b"transfer-encoding")
_ACCEPT = (b"grpc-accept-encoding", b"gzip, deflate, identity")
_NAME = re.compile(rb"[0-9a-z_.\-]+")
_VALUE = re.compile(rb"[\x20-\x7e]*")
_METHOD = re.compile(r"/[!-.0-~]+/[!-.0-~]+")


def check_method(method: str) -> bytes:
    """A method's path, such as "/v5api.BTrDB/Insert".

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise InvalidInput(f"the method is {method!r}; give a path such as '/package.Service/Method'")
    return method.encode()


def check_metadata(pairs: Iterable[tuple[str, str]]) -> list[Header]:
    """Metadata as headers.

    Raises:
        InvalidInput: a name or a value that cannot be sent. The values are not named: they may be secrets.
    """
    found = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(each, str) for each in pair):
            raise InvalidInput("metadata are pairs of a name and a value, both str")
        name, value = (each.strip(" ").encode() for each in pair)
        name = name.lower()
        if not _NAME.fullmatch(name) or name.startswith(b"grpc-") or name in _RESERVED:
            raise InvalidInput(
                f"the metadata name {pair[0]!r} cannot be sent; "
                "use letters, digits, '_', '-' and '.', and none of the names that are gRPC's own"
            )
        if not _VALUE.fullmatch(value):
            raise InvalidInput(f"the value of the metadata {pair[0]!r} is not printable ASCII")
        found.append((name, value))
    return found


def request_headers(
    method: bytes, authority: bytes, is_secure: bool, encoding: bytes | None, metadata: Sequence[Header]
) -> list[Header]:
    """The headers of a call, without its time-out."""
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"https" if is_secure else b"http"),
        (b":path", method),
        (b":authority", authority),
        (b"te", b"trailers"),
        (b"content-type", CONTENT_TYPE),
        _ACCEPT,
    ]
    if encoding is not None:
        headers.append((b"grpc-encoding", encoding))
    return [*headers, *metadata]


def is_grpc(content_type: bytes) -> bool:
    """Whether this is the content type of gRPC, perhaps with the name of its encoding."""
    return content_type.startswith(CONTENT_TYPE) and content_type[len(CONTENT_TYPE) :][:1] in (
        b"",
        b"+",
        b";",
    )


def own_metadata(headers: Iterable[Header]) -> dict[str, str]:
    """The caller's metadata among the headers of a call. Commas join the values of a repeated name."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name.startswith((b":", b"grpc-")) or name in _RESERVED:
            continue
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
