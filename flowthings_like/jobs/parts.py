"""Loads one part of a source: what workers do that share a load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from .checkpoint import Counts
from .rate_limit import RateLimit
from .sinks.base import Run, Sink
from .table import Chunk, Refusal

if TYPE_CHECKING:
    from .load import LoadOptions
    from .sources.base import Part, Source

__all__ = ["PartResult", "load_part"]


@dataclass(slots=True)
class PartResult:
    """What became of the rows of a part.

    Attributes:
        counts: how many were stored, left out and refused.
        refusals: the rows that could not be loaded.
    """

    counts: Counts = field(default_factory=Counts)
    refusals: list[Refusal] = field(default_factory=list)


def load_part(
    source: Source, sink: Sink, options: LoadOptions, part: Part, load_id: str, began: int
) -> PartResult:
    """Load the rows of a part. Each is stored once, however often the part is loaded.

    Args:
        part: some rows of the source. Of one load no two parts have the same row.
        load_id, began: the same for all parts of a load; see `Run`.

    Raises:
        As `load`.
    """
    rate = options.calls_per_second
    limit = _shared_limit(load_id, rate) if isinstance(rate, int | float) else rate
    wait = (lambda: None) if limit is None else limit.wait
    run = Run(
        load_id,
        True,
        began,
        source.key,
        wait,
        options.max_rejects,
        is_repeated=True,
        time_units=options.time_units(source),
    )
    pipeline = options.pipeline(source, sink, run, is_first=not part.start.row)
    size = options.batch_of(sink)
    chunks = source.chunks(size if part.rows is None else min(size, part.rows), part.start)
    result = PartResult()
    with closing(chunks), closing(pipeline.done(_limited(chunks, part))) as done:
        for work in done:
            result.counts.add(work.counts)
            result.refusals += work.refusals
    return result


@lru_cache(maxsize=64)
def _shared_limit(load_id: str, rate: float) -> RateLimit:
    """The limit that all parts of a load share which this process loads."""
    return RateLimit(rate)


def _limited(chunks: Iterator[Chunk], part: Part) -> Iterator[Chunk]:
    """The chunks up to the end of a part."""
    if part.rows is None:
        yield from chunks
        return
    last = part.start.row + part.rows
    for chunk in chunks:
        if chunk.end.row <= last:
            yield chunk
        else:
            places = [place for place, number in enumerate(chunk.table.numbers) if number <= last]
            refusals = [refusal for refusal in chunk.refusals if refusal.row <= last]
            yield Chunk(chunk.table.chosen(places), refusals, type(chunk.end)(last))
        if chunk.end.row >= last:
            return
