"""Sink: what every destination of rows does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ..errors import TooManyRefusals
from ..table import Refusal, Refuse, Table

if TYPE_CHECKING:
    from ...api import API

__all__ = ["Delivery", "Outcome", "Run", "Sink", "check_refusals", "place_of", "refuse_all", "unknown_column"]


@dataclass(frozen=True)
class Run:
    """What a sink has to know about the load that uses it.

    Attributes:
        id: names the load, also when it goes on later.
        is_resumable: whether rows may be delivered again, so that a second time must not count.
        began: when the load began first, in nanoseconds since 1970.
        source_key: the column that names a row of the source for ever; None if there is none.
        wait: waits for the turn of the next call.
        most_refusals: how many rows may be refused.
        is_repeated: whether some deliveries may have been made by an earlier run.
        time_units: the columns whose times are numbers of so many nanoseconds, whatever the sink's unit is:
            those of the type "time", and those that the source itself makes.
    """

    id: str
    is_resumable: bool
    began: int
    source_key: str | None
    wait: Callable[[], object]
    most_refusals: int
    is_repeated: bool = False
    time_units: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one call stores.

    Attributes:
        target: where: a path, a stream.
        items: what is stored there.
        numbers: of which row of the source each item is.
    """

    target: Any
    items: Any
    numbers: Sequence[int]


@dataclass(slots=True)
class Outcome:
    """What became of a delivery.

    Attributes:
        stored: how many drops, points, records or rows are stored now.
        refusals: rows that were refused.
        calls: how many calls were made.
    """

    stored: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    calls: int = 0


class Sink(ABC):
    """Stores rows. `prepare` is called in the thread of the load, `deliver` in several threads at once.

    Attributes:
        noun: what it stores, in the plural.
        batch: how many rows are read at once unless the load says otherwise.
        platform: which platform it stores in, as `place_of` says; None if that is not known.
    """

    noun: str = "rows"
    batch: int = 1000
    platform: str | None = None

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What has to be the same when a load goes on: plain JSON."""

    @abstractmethod
    def check(self, names: Sequence[str], run: Run) -> None:
        """Check that rows with these columns can be stored, before anything is sent.

        Raises:
            InvalidInput: a column is missing.
            FlowThingsError: the destination cannot be written to.
        """

    @abstractmethod
    def prepare(self, table: Table, run: Run, refuse: Refuse) -> list[Delivery]:
        """What has to be delivered for some rows. Rows that cannot be stored are refused."""

    @abstractmethod
    def deliver(self, delivery: Delivery, run: Run) -> Outcome:
        """Store a delivery, once, also if it is made several times.

        Raises:
            FlowThingsError, OSError: it cannot be stored now, or it is not known whether it is.
        """

    def finish(self, run: Run) -> None:  # noqa: B027 (few sinks leave something)
        """Remove what is needed only as long as the load may go on."""


def place_of(api: API) -> str:
    """Which platform an API talks to, and as whom, without a secret."""
    folder = getattr(getattr(api._platform, "store", None), "folder", None)
    return f"{api.creds.account} at {api._connection.host if folder is None else folder}"


def refuse_all(table: Table, reasons: dict[int, str], refuse: Refuse) -> None:
    """Refuse the rows at some places of a table."""
    if reasons:
        rows = table.dicts()
        for place, reason in sorted(reasons.items()):
            refuse(Refusal(table.numbers[place], reason, rows[place]))


def unknown_column(name: str, names: Sequence[str], what: str) -> InvalidInput:
    """The error for a column that is not there."""
    return InvalidInput(f"{what}: there is no column {name!r}; the columns are {', '.join(names)}")


def check_refusals(count: int, last: Refusal, run: Run) -> None:
    """Raise TooManyRefusals if too many rows were refused."""
    if count > run.most_refusals:
        why = f"row {last.row:,} cannot be loaded: {last.reason}"
        if not run.most_refusals:
            raise TooManyRefusals(f"{why}; with a reject file, the other rows are loaded")
        raise TooManyRefusals(f"more than {run.most_refusals:,} rows were refused; {why}")
