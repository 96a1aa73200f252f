"""The server's end of WebSocket (RFC 6455) as far as it is the same for every use: handshake and frames."""

from __future__ import annotations

import base64
import hashlib
import struct

__all__ = ["CLOSE", "PONG", "TEXT", "accept_key", "close_frame", "server_frame"]

TEXT, CLOSE, PONG = 0x1, 0x8, 0xA
"""Opcodes."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONGEST_REASON = 123  # bytes


def accept_key(key: str) -> str:
    """The value of Sec-WebSocket-Accept for a client's Sec-WebSocket-Key.

    Raises:
        ValueError: the key is not 16 bytes in base64.
    """
    if len(base64.b64decode(key, validate=True)) != 16:
        raise ValueError("Sec-WebSocket-Key must be 16 bytes in base64")
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def server_frame(opcode: int, data: bytes) -> bytes:
    """A whole message, or a control frame, in one frame. It is not masked: servers must not do so."""
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, size)) + data
    if size < 1 << 16:
        return struct.pack(">BBH", 0x80 | opcode, 126, size) + data
    return struct.pack(">BBQ", 0x80 | opcode, 127, size) + data


def close_frame(code: int, reason: str) -> bytes:
    """A CLOSE frame. A reason that is too long is cut."""
    text = reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
    return server_frame(CLOSE, code.to_bytes(2, "big") + text)
