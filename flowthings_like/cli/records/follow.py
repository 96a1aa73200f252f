"""`flowthings-like records follow`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ...errors import InvalidInput
from ...files.formats import Format, compression_of, format_of
from ...files.writing import replacing, stdout
from ...wire.tstorage.record import FIELDS
from ..progress import Progress
from .connecting import opened
from .key_ranges import key_range
from .payloads import PayloadText, parse_payload
from .writers import Writer, make_text_writer

if TYPE_CHECKING:
    from ...services.records.records_set import RecordsSet
    from .arguments import FollowArguments

__all__ = ["Place", "follow", "read_place", "write_place"]

_PLACE = re.compile(r"(?P<acq>-?[0-9]{1,19})(?: (?P<size>[0-9]{1,18}))?\n?")


def follow(arguments: FollowArguments) -> None:
    """Write records as they are stored, until it is interrupted or has reached the end of --acq. With
    --acq-file it goes on where it has ended. Then no record of an --output file is missing or there twice,
    even after a crash: what is in the file beyond the place that was noted is cut off, and comes again.
    """
    payload = parse_payload(arguments.payload)
    low, high = key_range(arguments)
    format = format_of(arguments.output, arguments.format)
    noted = read_place(arguments.acq_file)
    if noted is not None:
        low = low._replace(acq=max(low.acq, noted.acq))
    with (
        opened(arguments, payload.type) as channel,
        _open_output(arguments.output, format, payload, noted) as output,
        Progress("followed") as progress,
    ):

        def take(records: RecordsSet[Any]) -> None:
            output.writer.write(records)
            progress.add(len(records))

        def note(acq: int) -> None:
            if arguments.acq_file is not None:
                write_place(arguments.acq_file, Place(acq, output.sync()))

        note(low.acq)
        if arguments.once:
            now = channel.get_acq(low, high).raise_for_status().acq
            if now > low.acq:
                channel.get_stream(low, high._replace(acq=now), take).raise_for_status()
                note(now)
            return
        follower = channel.follow(low, high, every=arguments.every)
        for records in follower:
            take(records)
            note(follower.acq)


class Place(NamedTuple):
    """How far a follower is.

    Attributes:
        acq: all records that were stored before then are written.
        size: bytes of the output file with them; None if the output is a pipe.
    """

    acq: int
    size: int | None


def read_place(path: Path | None) -> Place | None:
    """The place in a file: an acq, and perhaps a size. None if there is no file yet.

    Raises:
        InvalidInput: the file has something else.
    """
    if path is None or not path.exists():
        return None
    text = path.read_text(errors="replace")
    found = _PLACE.fullmatch(text)
    if not found or not FIELDS["acq"][0] <= int(found["acq"]) <= FIELDS["acq"][1]:
        raise InvalidInput(f"{path} has no acq, but {text[:40]!r}; remove it to begin anew")
    return Place(int(found["acq"]), None if found["size"] is None else int(found["size"]))


def write_place(path: Path, place: Place) -> None:
    """Put a place into a file. Whenever the file is read, it has the old place or the new one."""
    with replacing(path) as file:
        file.write(" ".join(str(number) for number in place if number is not None).encode() + b"\n")


class _Output:
    """Where the records are written, and how they get to the disk."""

    def __init__(self, writer: Writer, file: IO[str] | None = None) -> None:
        self.writer = writer
        self._file = file

    def sync(self) -> int | None:
        """Wait until all is on the disk. Returns the size of the file; None for a pipe."""
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size


@contextmanager
def _open_output(
    path: Path | None, format: Format, payload: PayloadText, noted: Place | None
) -> Iterator[_Output]:
    """The output, for the block: stdout, or a file that is continued."""
    if path is None:
        yield _Output(make_text_writer(stdout(), format, payload))
        return
    if compression_of(path):
        raise InvalidInput("follow continues a file, which cannot be compressed")
    with path.open("a", encoding="utf-8", newline="") as file:
        size = os.fstat(file.fileno()).st_size
        if noted is not None and noted.size is not None and noted.size < size:
            size = noted.size
            file.truncate(size)
        yield _Output(make_text_writer(file, format, payload, is_continued=size > 0), file)
