"""Problems: exceptions that carry the code of the status that reports them."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Code", "StreamProblem"]


class Code(IntEnum):
    """BTrDB's codes that this store uses."""

    NO_SUCH_POINT = 401
    NO_SUCH_STREAM = 404
    INVALID_COLLECTION = 407
    INVALID_TAG_KEY = 408
    INVALID_TAG_VALUE = 409
    INVALID_TIME_RANGE = 413
    INSERT_TOO_BIG = 414
    INVALID_POINT_WIDTH = 415
    STREAM_EXISTS = 417
    AMBIGUOUS_STREAM = 418
    WRONG_ARGUMENTS = 421
    ANNOTATION_TOO_BIG = 422
    WRONG_PROPERTY_VERSION = 423
    FAULT_INJECTION_OFF = 424
    BAD_VALUE = 425
    RESOURCES_DEPLETED = 426
    INVALID_VERSIONS = 427
    RECYCLED_UUID = 429
    INVALID_PARAMETER = 438
    BAD_SQL = 441
    VERSION_NOT_AVAILABLE = 450
    INVARIANT = 500
    NOT_IMPLEMENTED = 501


class StreamProblem(Exception):
    """A call that cannot be served.

    Attributes:
        code: what BTrDB calls it.
        message: what was wrong, and what would be right.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
