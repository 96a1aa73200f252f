"""LoadSpec: a load as plain texts and numbers, for the command line and for workers on other machines."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput
from .load import LoadOptions
from .sinks.base import place_of
from .sinks.flows import FlowsSink
from .sinks.records import RecordsSink
from .sinks.sql import SQLSink
from .sinks.streams import StreamsSink
from .sources.file import FileSource
from .sources.flow import FlowSource
from .sources.query import QuerySource

if TYPE_CHECKING:
    from ..api import API
    from .selection import Transform
    from .sinks.base import Sink
    from .sources.base import Source

__all__ = ["LoadSpec"]

_SINKS = "/PATH, streams:COLLECTION, records:FORMAT or table:NAME"


@dataclass(frozen=True)
class LoadSpec:
    """A load that can be written as JSON.

    Attributes:
        source: a file; "-"; "flow:/acme/weather"; "query:select …", which asks `api.db`.
        into: "/acme/weather/{origin}"; "streams:weather/{origin}"; "records:<d", with a format of the module
            `struct`; "table:weather", in `api.db`.
        format, delimiter: of a file. See FileSource.
        time, time_unit: the column with the times. See the sinks.
        key, create, capacity: of flows. See FlowsSink.
        values: the columns with values, "column" or "column=name". Of streams and records.
        merge: of streams. See StreamsSink.
        cid, mid, moid: of records: a number, or the name of a column.
        types: such as {"temp": "float"}.
        na: texts that stand for no value.
        filter: the text of a filter.
        transform: a function, as "module:name".
        batch, parallel, calls_per_second, max_rejects: see `load`.
    """

    source: str
    into: str
    format: str | None = None
    delimiter: str = ","
    time: str | None = None
    time_unit: str | None = None
    key: tuple[str, ...] = ()
    create: bool = False
    capacity: int | None = None
    values: tuple[str, ...] = ()
    merge: str = "equal"
    cid: str = "0"
    mid: str = "0"
    moid: str = "0"
    types: dict[str, str] | None = None
    na: tuple[str, ...] = ()
    filter: str | None = None
    transform: str | None = None
    batch: int | None = None
    parallel: int = 4
    calls_per_second: float | None = None
    max_rejects: int = 1000

    def to_json(self) -> dict[str, Any]:
        """The same as a dict for JSON, with the whole path of a file."""
        told = asdict(self)
        if not self.source.startswith(("flow:", "query:")) and self.source != "-":
            told["source"] = str(Path(self.source).resolve())
        return told

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> LoadSpec:
        """The spec of a dict. Raises InvalidInput if it has other members."""
        unknown = sorted(told.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise InvalidInput(f"a load has no {', '.join(unknown)}")
        lists: dict[str, Any] = {name: tuple(told[name]) for name in ("key", "values", "na") if name in told}
        return cls(**{**told, **lists})

    def open_source(self, api: API) -> Source:
        """The source.

        Raises:
            InvalidInput, ConfigurationError: it cannot be used.
        """
        kind, colon, rest = self.source.partition(":")
        if colon and kind == "flow":
            return FlowSource(api, rest)
        if colon and kind == "query":
            return QuerySource(api.db, rest)
        return FileSource(self.source, self.format, delimiter=self.delimiter)

    def open_sink(self, api: API) -> Sink:
        """The sink.

        Raises:
            InvalidInput, ConfigurationError: it cannot be used.
        """
        sink = self._open_sink(api)
        if not isinstance(sink, SQLSink):
            sink.platform = place_of(api)
        return sink

    def _open_sink(self, api: API) -> Sink:
        kind, _, rest = self.into.partition(":")
        if self.into.startswith("/"):
            return FlowsSink(
                api,
                self.into,
                time=self.time,
                time_unit=self.time_unit or "ms",
                key=self.key,
                create=self.create,
                capacity=self.capacity,
            )
        if kind not in ("streams", "records", "table") or not rest:
            raise InvalidInput(f"{self.into!r} is nothing to load into; give {_SINKS}")
        if kind == "table":
            return SQLSink(api.db, rest)
        if self.time is None:
            raise InvalidInput(f"give the column with the times of {kind}")
        if not self.values:
            raise InvalidInput(f"give the columns with the values of {kind}")
        return self._streams(api, rest) if kind == "streams" else self._records(api, rest)

    def _streams(self, api: API, collection: str) -> Sink:
        assert self.time is not None
        named = dict(_named(value) for value in self.values)
        return StreamsSink(
            api.stream,
            collection,
            time=self.time,
            time_unit=self.time_unit or "ns",
            values=named,
            create=self.create,
            merge=self.merge,
        )

    def _records(self, api: API, format: str) -> Sink:
        from ..services.records.payload_types import PayloadType, StructPayloadType, TuplePayloadType

        assert self.time is not None
        one = len(self.values) == 1
        payload_type: PayloadType[Any] = StructPayloadType(format) if one else TuplePayloadType(format)
        numbers = {name: _number(getattr(self, name)) for name in ("cid", "mid", "moid")}
        return RecordsSink(
            api.record(payload_type),
            cap=self.time,
            time_unit=self.time_unit or "ns",
            values=self.values,
            **numbers,
        )

    def options(self) -> LoadOptions:
        """How rows are loaded.

        Raises:
            InvalidInput: an option cannot be used, or there is no such function.
        """
        return LoadOptions(
            types=self.types,
            na=self.na,
            filter=self.filter,
            transform=None if self.transform is None else find_function(self.transform),
            batch=self.batch,
            parallel=self.parallel,
            calls_per_second=self.calls_per_second,
            max_rejects=self.max_rejects,
        )


def find_function(named: str) -> Transform:
    """The function that is called "module:name", for which the current folder is searched, too.

    Raises:
        InvalidInput: there is none.
    """
    module, colon, name = named.partition(":")
    if not colon or not module or not name:
        raise InvalidInput(f"the function is {named!r}; give module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Callable[..., Any] | None = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise InvalidInput(f"the module of the function {named!r} cannot be imported: {error}") from error
    if not callable(found):
        raise InvalidInput(f"there is no function {named!r}")
    return found


def _named(value: str) -> tuple[str, str]:
    column, equals, name = value.partition("=")
    return column, name if equals else column.replace("{", "{{").replace("}", "}}")


def _number(text: str) -> str | int:
    return int(text) if text.lstrip("-").isdigit() else text


def parse_types_of(texts: Sequence[str]) -> dict[str, str]:
    """Types from texts such as "temp=float".

    Raises:
        InvalidInput: one has another form.
    """
    found = {}
    for text in texts:
        name, equals, type = text.rpartition("=")
        if not equals or not name:
            raise InvalidInput(f"a type is NAME=TYPE, not {text!r}")
        found[name] = type
    return found
