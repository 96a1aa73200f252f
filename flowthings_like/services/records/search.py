"""What a call asks a server of records for: ranges of keys, and a filter for the records that come.

The document of a record, for filters, has the fields of its key and those of its payload. A payload without
fields is the member `value`, and `payload` too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...filters.keys import plan
from ...filters.predicate import compile_predicate
from ...filters.target import Explanation, filter_of
from ...transport.outgoing_values import resolve
from ...wire.tstorage.record import FIELDS, Key, Record
from ...wire.tstorage.requests import get_request
from .needed import needed
from .record_batch import RecordBatch

if TYPE_CHECKING:
    from ...filters.nodes import Filter

__all__ = ["KeyRange", "Search", "check_key", "search_for"]

Records = RecordBatch[Any] | list[Record[Any]]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A range of keys: a box from one key up to another. See `Key`."""

    low: Key
    high: Key

    @property
    def is_empty(self) -> bool:
        """Whether no key can be in it. A server refuses such a range."""
        return any(low >= high for low, high in zip(self.low, self.high, strict=True))

    def __str__(self) -> str:
        said = [
            f"{name} from {low} to {high - 1}" if high - low > 1 else f"{name} {low}"
            for (name, whole), low, high in zip(FIELDS.items(), self.low, self.high, strict=True)
            if (low, high) != whole
        ]
        return f"get {', '.join(said) or 'all keys'}"


@dataclass(frozen=True, slots=True)
class Search:
    """Which records a call wants.

    Attributes:
        whole: the range that the caller has named, or that of all keys.
        ranges: those to ask for, without overlaps. Without one, no record can match.
        rest: the filter that a record in these ranges has to match; None if all of them do.
        now: ms since the epoch, from which AGE is counted.
    """

    whole: KeyRange
    ranges: Sequence[KeyRange]
    rest: Filter | None = None
    now: int = 0

    def matching(self, records: Records) -> Records:
        """Those of some records that match the rest, in their order."""
        if self.rest is None:
            return records
        if isinstance(records, RecordBatch):
            with needed("a filter"):
                from ...filters.arrays import matching
            columns = records.columns
            if "payload" in columns:
                columns.setdefault("value", columns["payload"])
            found = matching(self.rest, columns, self.now)
            return records if found.all() else records[found]
        test = compile_predicate(self.rest)
        return [record for record in records if test(_document(record), self.now)]

    def explanation(self) -> Explanation:
        """What would be asked for, and what would be tested here."""
        rest = "" if self.rest is None else str(self.rest)
        return Explanation("keys", tuple(map(str, self.ranges)), rest)


def search_for(key_min: Any, key_max: Any, where: Any = None, partial: bool = True) -> Search:
    """Check the arguments of a call, and plan its ranges.

    Args:
        key_min, key_max: the range; with `where` they may be None, for that of all keys.
        where: a filter, its text, or None.
        partial: whether a part of the filter may be tested on the records that come.

    Raises:
        InvalidInput: an argument cannot be used. CannotFilter: ranges cannot say the filter, and `partial`
            is False.
    """
    node = filter_of(where)
    if node is not None:
        key_min = Key.min() if key_min is None else key_min
        key_max = Key.max() if key_max is None else key_max
    whole = KeyRange(check_key(key_min), check_key(key_max))
    get_request(whole.low, whole.high)  # raises if it cannot be sent
    if node is None:
        return Search(whole, [whole])
    now = int(time.time() * 1000)
    if whole.is_empty:
        return Search(whole, [whole], node, now)  # the server says what is wrong with it
    fields = dict(zip(FIELDS, zip(whole.low, whole.high, strict=True), strict=True))
    found = plan(node, fields, now=now, partial=partial)
    ranges = [KeyRange(Key(*box.low), Key(*box.high)) for box in found.boxes]
    return Search(whole, ranges, found.rest, now)


def check_key(key: Any) -> Key:
    """Return one end of a range.

    Raises:
        InvalidInput: it is no Key.
    """
    key = resolve(key)
    if isinstance(key, Key):
        return key
    raise InvalidInput(
        f"a range is two Keys, not {type(key).__name__}; write Key.min() and Key.max() for all, or where=…"
    )


def _document(record: Record[Any]) -> dict[str, Any]:
    found: dict[str, Any] = record.key._asdict()
    value = record.value
    if isinstance(value, tuple):  # its columns have these names, too
        return found | {f"v{number}": _plain(one) for number, one in enumerate(value)}
    return found | {"value": _plain(value), "payload": _plain(value)}


def _plain(value: Any) -> Any:
    """What columns have for the value, see `filters.rows`: bytes are the text that they hold in UTF-8."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
