"""`flowthings-like records get`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...files.formats import format_of
from ..progress import Progress
from .connecting import opened
from .key_ranges import key_range
from .payloads import parse_payload
from .writers import open_writer

if TYPE_CHECKING:
    from ...services.records.records_set import RecordsSet
    from .arguments import GetArguments

__all__ = ["get"]


def get(arguments: GetArguments) -> None:
    """Write the records of a range, a box that each field of the key has to be in, to stdout or to a file.
    The file appears when it is complete.
    """
    payload = parse_payload(arguments.payload)
    low, high = key_range(arguments)
    format = format_of(arguments.output, arguments.format)
    with (
        opened(arguments, payload.type) as channel,
        open_writer(arguments.output, format, payload) as writer,
        Progress("got") as progress,
    ):

        def write(records: RecordsSet[Any]) -> None:
            writer.write(records)
            progress.add(len(records))

        channel.get_stream(low, high, write).raise_for_status()
