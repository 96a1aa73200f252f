"""`flowthings-like records put`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ...errors import DeadlineExceeded, FlowThingsError, InvalidInput
from ...files.formats import format_of
from ...services.records.errors import Disconnected
from ..files.stopped import stopped
from ..progress import Progress
from .connecting import opened
from .payloads import parse_payload
from .readers import open_records

if TYPE_CHECKING:
    from ...services.records.payload_types import PayloadType
    from ...wire.tstorage.record import Record
    from .arguments import PutArguments

__all__ = ["put"]

NOT_PACKED = (struct.error, OverflowError)
"""What packing raises for a value that does not fit the format."""


def put(arguments: PutArguments) -> None:
    """Store the records of a file, in puts of --chunk records. Each put is stored whole, or not at all. If
    one fails, the message says how many records of the file are stored, for --skip.
    """
    payload = parse_payload(arguments.payload)
    constants = {
        field: getattr(arguments, field)
        for field in ("cid", "mid", "moid")
        if getattr(arguments, field) is not None
    }
    done = arguments.skip  # records at the beginning of the file that need not be put again
    skipped = 0
    with (
        opened(arguments, payload.type) as channel,
        open_records(
            arguments.file,
            format_of(arguments.file, arguments.format),
            payload,
            constants,
            with_acq=arguments.acq,
            size=arguments.chunk,
            skip=arguments.skip,
        ) as chunks,
        Progress("put") as progress,
    ):
        send = channel.puta if arguments.acq else channel.put
        size = 0
        try:
            for records in chunks:
                size = len(records)
                response = send(records, skip_invalid=arguments.skip_invalid).raise_for_status()
                done += size
                size = 0
                skipped += response.skipped
                progress.add(len(records) - response.skipped)
        except (FlowThingsError, OSError, *NOT_PACKED) as error:
            is_unknown = isinstance(error, (Disconnected, DeadlineExceeded))
            cause = _unpackable(payload.type, records, error) if isinstance(error, NOT_PACKED) else error
            raise FlowThingsError(stopped(cause, done, size if is_unknown else 0, "records")) from error
    left_out = f", left out as invalid: {skipped:,}" if skipped else ""
    print(f"records put: {progress.count:,}{left_out}")


def _unpackable(payload_type: PayloadType[Any], records: list[Record[Any]], error: Exception) -> Exception:
    """The error that says which record has a payload that does not fit the format."""
    for number, record in enumerate(records):
        try:
            payload_type.to_bytes(record.value)
        except NOT_PACKED as found:
            return InvalidInput(f"record {number} cannot be put: its payload is {record.value!r}: {found}")
    return error
