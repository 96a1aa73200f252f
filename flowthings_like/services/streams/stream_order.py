"""The order in which found streams are returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...filters.nodes import Member
from ...filters.quoting import split_path
from ...filters.stream_conditions import stream_member
from ...filters.values import MISSING, finder, is_number
from ...transport.outgoing_values import resolve, text
from .metadata import document_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .dialect import Descriptor

__all__ = ["StreamOrder"]

_DEFAULT = ('collection collate "C"', "coalesce(name, '') collate \"C\"", "uuid::text")


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """An order of streams by a member of their metadata; without one by collection, name and UUID.

    Numbers come first, then texts by code points, then the others. Streams without the member come last.
    """

    member: Member | None
    is_descending: bool = False

    @classmethod
    def of(cls, sort: Any, order: Any) -> StreamOrder:
        """The order that a caller has named.

        Raises:
            InvalidInput: an argument cannot be used.
        """
        order = resolve(order)
        if order not in ("asc", "desc"):
            raise InvalidInput(f"order is {order!r}; give 'asc' or 'desc'")
        sort = resolve(sort)
        if hasattr(type(sort), "__member__"):
            member = sort.__member__()
        else:
            member = None if sort is None else Member(split_path(text(sort, "sort")))
        return cls(member, order == "desc")

    def sql(self) -> str | None:
        """The ORDER BY of a query on the table streams. None if the server cannot sort so."""
        direction = " desc" if self.is_descending else ""
        if self.member is None:
            return ", ".join(column + direction for column in _DEFAULT)
        found = stream_member(self.member)
        if found.kind != "text":
            return None
        column = "uuid::text" if found.name == "uuid" else f"coalesce({found.name}, '')"
        return ", ".join([f"{column} = ''", f'{column} collate "C"{direction}', *_DEFAULT])

    def sorted(self, found: Iterable[Descriptor]) -> list[Descriptor]:
        """The streams in this order."""
        streams = sorted(found, key=_identity, reverse=self.is_descending and self.member is None)
        if self.member is None:
            return streams
        find = finder(self.member)
        values = [find(document_of(stream)) for stream in streams]
        places = [place for place, value in enumerate(values) if value is not MISSING]
        places.sort(key=lambda place: _rank(values[place]), reverse=self.is_descending)
        missing = [place for place, value in enumerate(values) if value is MISSING]
        return [streams[place] for place in [*places, *missing]]


def _identity(stream: Descriptor) -> tuple[str, str, str]:
    return stream.collection, stream.tags.get("name", ""), str(stream.uuid)


def _rank(value: Any) -> tuple[int, Any]:
    if is_number(value):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, 0)
