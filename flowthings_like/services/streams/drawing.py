"""Shows points in a notebook: HTML with a drawing in SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from .times import ns_to_datetime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["draw", "figure", "paragraph"]

WIDTH, HEIGHT = 600, 120
_BAND, _LINE = "#9ecae1", "#08519c"
_COUNT = 4  # the column of StatPoints with the number of points


def figure(head: str, columns: Sequence[NDArray[Any]]) -> str:
    """HTML of a drawing with a caption.

    Args:
        head: the first line of the caption, as HTML.
        columns: those of RawPoints or StatPoints.
    """
    times = columns[0]
    if not len(times):
        return f"<figure><figcaption>{head}: no points</figcaption></figure>"
    begin, end = (f"{ns_to_datetime(int(times[place])):%Y-%m-%d %H:%M:%S}" for place in (0, -1))
    caption = f"{head}<br>{len(times)} points, {begin} to {end} UTC"
    return f"<figure><figcaption>{caption}</figcaption>{draw(columns)}</figure>"


def paragraph(*texts: str) -> str:
    """HTML of texts."""
    return f"<p>{': '.join(map(escape, texts))}</p>"


def draw(columns: Sequence[NDArray[Any]]) -> str:
    """SVG of points: a band from the least to the greatest value, and a line of means."""
    import numpy as np

    if len(columns) > _COUNT:
        has_points = columns[_COUNT] > 0
        times, low, middle, high = (column[has_points] for column in columns[:_COUNT])
    else:
        times, middle = columns
        low = high = middle
    if not len(times):
        return ""
    step = -(-len(times) // (2 * WIDTH))
    starts = np.arange(0, len(times), step)
    low, high = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
    middle, times = middle[::step], times[::step]
    bottom, top = float(low.min()), float(high.max())
    x = (times - times[0]) / max(int(times[-1]) - int(times[0]), 1) * WIDTH

    def path(values: NDArray[Any], along: NDArray[Any]) -> str:
        y = HEIGHT - (values - bottom) / ((top - bottom) or 1.0) * HEIGHT
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(along.tolist(), y.tolist(), strict=True))

    band = f"{path(high, x)} {path(low[::-1], x[::-1])}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 {WIDTH + 4} {HEIGHT + 4}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img"><title>{bottom:g} to {top:g}</title>'
        f'<polygon points="{band}" fill="{_BAND}" stroke="{_BAND}"/>'
        f'<polyline points="{path(middle, x)}" fill="none" stroke="{_LINE}"/></svg>'
    )
