"""Where the parts of a record stand, and the bounds of what may be sent."""

from __future__ import annotations

import struct
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "BATCH",
    "COMMAND_ACQ",
    "COMMAND_GET",
    "COMMAND_PUT",
    "COMMAND_PUTA",
    "HEADER",
    "I32",
    "I64",
    "MAX_BATCH",
    "MAX_HEADER_DATA",
    "MAX_PAYLOAD",
    "SLICE",
    "Form",
    "row_dtype",
]

COMMAND_GET, COMMAND_PUT, COMMAND_PUTA, COMMAND_ACQ = 1, 5, 6, 7

HEADER = struct.Struct("<iQ")
"""The head of a request or a reply: its command or status, and the bytes that belong to the header."""
BATCH = struct.Struct("<ii")
"""The head of a batch: cid, and the bytes of its records."""
I32, I64 = struct.Struct("<i"), struct.Struct("<q")

MAX_PAYLOAD = 32 << 20
"""Bytes of a payload, at most."""
MAX_BATCH = 2**31 - 1
"""Bytes of a batch, at most, without its head."""
MAX_HEADER_DATA = 64 << 10
"""Bytes of header data that are skipped. Servers send 0, 8 or 16."""
SLICE = 1 << 20
"""Bytes that are encoded at a time, unless one record is larger."""


class Form(Enum):
    """The forms of records on the wire. They differ in how much of the key each record has.

    Attributes:
        key_format: of the key, for `struct`, without a byte order.
        key_fields: the fields of the key, in order.
        key_size: bytes of the key.
        command: of the request that sends or asks for such records.
    """

    GET = "iqiqq", ("cid", "mid", "moid", "cap", "acq"), 32, COMMAND_GET
    PUT = "qiq", ("mid", "moid", "cap"), 20, COMMAND_PUT
    PUTA = "qiqq", ("mid", "moid", "cap", "acq"), 28, COMMAND_PUTA

    def __init__(self, key_format: str, key_fields: tuple[str, ...], key_size: int, command: int) -> None:
        self.key_format = key_format
        self.key_fields = key_fields
        self.key_size = key_size
        self.command = command


_NUMPY = {"cid": "<i4", "mid": "<i8", "moid": "<i4", "cap": "<i8", "acq": "<i8"}


@lru_cache(maxsize=64)
def row_dtype(form: Form, payload: np.dtype[Any] | int) -> np.dtype[Any]:
    """The dtype of records with payloads of one size, as they stand on the wire. Needs numpy.

    Its fields are `_size`, those of the key, and `payload`.

    Args:
        payload: the dtype of the payload, or its size in bytes.
    """
    import numpy as np

    fields = [("_size", "<i4"), *((name, _NUMPY[name]) for name in form.key_fields)]
    return np.dtype([*fields, ("payload", f"V{payload}" if isinstance(payload, int) else payload)])
