"""The errors of BTrDB, each under the name that the client btrdb gives it.

    BTrDBError
    ├── ConnectionError              also a builtin ConnectionError
    ├── StreamNotFoundError          also a builtin LookupError
    ├── CredentialsFileNotFound      also a builtin FileNotFoundError
    ├── ProfileNotFound
    ├── BTRDBServerError             the server failed, or refused a call for a reason without a class
    ├── BTRDBTypeError               also a builtin TypeError
    ├── InvalidOperation
    │   ├── StreamExists, AmbiguousStream, PermissionDenied
    ├── BTRDBValueError              also an InvalidInput, and so a builtin ValueError
    │   ├── InvalidCollection, InvalidTagKey, InvalidTagValue, InvalidTimeRange, InvalidPointWidth
    │   ├── BadValue, RecycledUUID, BadSQLValue, VersionNotAvailable, NoSuchPoint
    └── NotSupported                 this server does not have the call; also a builtin NotImplementedError

Some are raised by the client before anything is sent, if the server could only answer with the same error.
"""

from __future__ import annotations

import builtins

from ...errors import FlowThingsError, InvalidInput

__all__ = [
    "AmbiguousStream",
    "BTRDBServerError",
    "BTRDBTypeError",
    "BTRDBValueError",
    "BTrDBError",
    "BadSQLValue",
    "BadValue",
    "ConnectionError",
    "CredentialsFileNotFound",
    "InvalidCollection",
    "InvalidOperation",
    "InvalidPointWidth",
    "InvalidTagKey",
    "InvalidTagValue",
    "InvalidTimeRange",
    "NoSuchPoint",
    "NotSupported",
    "PermissionDenied",
    "ProfileNotFound",
    "RecycledUUID",
    "StreamExists",
    "StreamNotFoundError",
    "VersionNotAvailable",
]


class BTrDBError(FlowThingsError):
    """The base of all errors that a BTrDB server answers with.

    Attributes:
        code: the number of the error in the protocol; 0 if it has none.
        inserted: of an insert that took several calls, how many points those before this one have stored.
    """

    code: int = 0
    inserted: int = 0


class ConnectionError(BTrDBError, builtins.ConnectionError):
    """There is no server to connect to: no endpoint is known, or what answers is not a BTrDB server."""


class StreamNotFoundError(BTrDBError, builtins.LookupError):
    """There is no such stream, or the key may not see it."""

    code = 404


class CredentialsFileNotFound(BTrDBError, builtins.FileNotFoundError):
    """A profile was asked for, and there is no credentials file."""


class ProfileNotFound(BTrDBError):
    """The credentials file has no such profile."""


class BTRDBServerError(BTrDBError):
    """The server failed, or refused a call for a reason that has no class of its own. `code` tells which."""


class BTRDBTypeError(BTrDBError, builtins.TypeError):
    """An argument has a type that cannot be used."""


class NotSupported(BTrDBError, builtins.NotImplementedError):
    """This server does not have the call."""


class InvalidOperation(BTrDBError):
    """The operation is not possible here."""


class StreamExists(InvalidOperation):
    """A stream with this UUID exists already."""

    code = 417


class AmbiguousStream(InvalidOperation):
    """Another stream has the same collection and tags."""

    code = 418


class PermissionDenied(InvalidOperation):
    """The key is not valid, or does not give the right to do this."""


class BTRDBValueError(BTrDBError, InvalidInput):
    """A value that is not allowed."""


class InvalidCollection(BTRDBValueError):
    """The name of a collection is empty, too long, or not valid."""

    code = 407


class InvalidTagKey(BTRDBValueError):
    """Tags have the keys name, unit, ingress and distiller, and no others."""

    code = 408


class InvalidTagValue(BTRDBValueError):
    """The value of a tag is too long or not valid."""

    code = 409


class InvalidTimeRange(BTRDBValueError):
    """A time is outside the range of times that a stream can have, or a range ends before it begins."""

    code = 413


class InvalidPointWidth(BTRDBValueError):
    """A point width is not a whole number from 0 to 63."""

    code = 415


class BadValue(BTRDBValueError):
    """A point has no value: None, NaN, or an infinite number."""

    code = 425


class RecycledUUID(BTRDBValueError):
    """The UUID belonged to a stream that was obliterated."""

    code = 429


class BadSQLValue(BTRDBValueError):
    """The SQL, or a parameter of it, is not valid."""

    code = 441


class VersionNotAvailable(BTRDBValueError):
    """The stream has no such version, or not any more."""

    code = 450


class NoSuchPoint(BTRDBValueError):
    """There is no point in that direction."""

    code = 401
