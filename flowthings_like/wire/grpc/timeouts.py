"""The header `grpc-timeout`: how long the client waits."""

from __future__ import annotations

import math

__all__ = ["decode_timeout", "encode_timeout"]

_MICROSECONDS = {b"H": 3_600_000_000, b"M": 60_000_000, b"S": 1_000_000, b"m": 1000, b"u": 1}
_DIGITS = 8  # that gRPC allows
_LONGEST = (10**_DIGITS - 1) * 3_600_000_000


def encode_timeout(seconds: float) -> bytes:
    """A time-out as a header.

    It is rounded up to three digits. So calls with equal time-outs, which have waited for microseconds before
    they are sent, have equal headers, and HPACK sends them as one byte. A server stops up to a hundredth
    later than the client, which does not wait for it.
    """
    left = max(1, math.ceil(min(seconds * 1e6, _LONGEST)))
    step = 10 ** max(0, len(str(left)) - 3)
    left = min(-(-left // step) * step, _LONGEST)
    for unit, size in _MICROSECONDS.items():
        if left % size == 0 and unit != b"H":
            count = left // size
            if count < 10**_DIGITS:
                return b"%d%b" % (count, unit)
            break
    return b"%dH" % -(-left // _MICROSECONDS[b"H"])


def decode_timeout(header: bytes) -> float | None:
    """The seconds that a header stands for; None if it is no time-out."""
    digits, unit = header[:-1], header[-1:]
    if not digits.isdigit() or len(digits) > _DIGITS:
        return None
    if unit == b"n":
        return int(digits) / 1e9
    size = _MICROSECONDS.get(unit)
    return None if size is None else int(digits) * size / 1e6
