"""Methods of str and bytes, and of lists of str."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import method
from ..values.numbers import INT_MIN
from ..values.text import joined
from ..values.types import Closure, List, Regex, type_name
from .regexes import replaced, split_by

if TYPE_CHECKING:
    from ..runtime.builtin import Array
    from ..runtime.run import Run

_SPACE = " \t\n\v\f\r"
_SPACES = re.compile(f"[{_SPACE}]+")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


@method(str, bytes)
def len_(run: Run, text: str | bytes) -> int:
    """Return the length in bytes."""
    return len(text) if isinstance(text, bytes) or text.isascii() else len(text.encode())


@method(str)
def lower(run: Run, text: str) -> str:
    """Convert the letters A to Z to lower case."""
    return text.translate(_LOWER)


@method(str)
def upper(run: Run, text: str) -> str:
    """Convert the letters a to z to upper case."""
    return text.translate(_UPPER)


@method(str)
def trim(run: Run, text: str) -> str:
    return text.strip(_SPACE)


@method(str)
def trim_left(run: Run, text: str) -> str:
    return text.lstrip(_SPACE)


@method(str)
def trim_right(run: Run, text: str) -> str:
    return text.rstrip(_SPACE)


@method(str)
def contains(run: Run, text: str, part: str) -> bool:
    return part in text


@method(str)
def starts_with(run: Run, text: str, start: str) -> bool:
    return text.startswith(start)


@method(str)
def ends_with(run: Run, text: str, end: str) -> bool:
    return text.endswith(end)


@method(str)
def split(run: Run, text: str, by: str | int | Regex | None = None, most: int | None = None) -> List:
    """Split at white space, at a str or at the matches of a regular expression.

    `most` bounds the number of splits; if it is negative, they are counted from the end. An int that is the
    only argument is `most`.
    """
    if isinstance(by, int):
        if most is not None:
            raise errors.NumArgumentsError(
                "function `split` takes at most 1 argument when the first argument is of type `int`"
            )
        by, most = None, by
    if most == INT_MIN:
        raise errors.OverflowError("integer overflow")
    if by == "":
        raise errors.ValueError("empty separator")
    if isinstance(by, Regex):
        return split_by(run, by, text, most)
    if most == 0:
        return List([text])
    if by is None:
        return run.items(_words(text, most))
    if most is None:
        return run.items(text.split(by))
    return run.items(text.split(by, most) if most > 0 else text.rsplit(by, -most))


def _words(text: str, most: int | None) -> list[str]:
    if most is None or most > 0:
        return _SPACES.split(text, most or 0)
    cuts = [found.span() for found in _SPACES.finditer(text)][most:]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


@method(str)
def replace(run: Run, text: str, old: str | Regex, new: str | Closure, most: int | None = None) -> str:
    """Replace each `old` by `new`, a str or the result of a closure.

    The closure is called with (start, end, text); for a regular expression the groups and the match come
    before these. `most` bounds the number of replacements; if it is negative, they are counted from the
    right, which only a str allows.
    """
    if most == INT_MIN:
        raise errors.OverflowError("integer overflow")
    if old == "":
        raise errors.ValueError("replace an empty string")
    return replaced(run, text, old, new, most)


@method(List, tuple)
def join(run: Run, items: Array, separator: str = "") -> str:
    """Join the items, all of them str."""
    for at, item in enumerate(items):
        if type(item) is not str:
            raise errors.TypeError(
                f"expecting item {at} to be of type `str` but got type `{type_name(item)}` instead"
            )
    text = joined(items, separator)
    run.charge_new(text)
    return text
