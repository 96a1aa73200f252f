"""What str, bytes and regular expressions can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .... import things_errors as errors
from . import limits
from .signature import method
from .text import joined
from .values import List, Regex, Value, type_name

if TYPE_CHECKING:
    from .run import Run
    from .signature import Array


@method(str, bytes)
def len_(run: Run, text: str | bytes) -> int:
    return len(text)


@method(str)
def lower(run: Run, text: str) -> str:
    return text.lower()


@method(str)
def upper(run: Run, text: str) -> str:
    return text.upper()


@method(str)
def trim(run: Run, text: str) -> str:
    return text.strip()


@method(str)
def trim_left(run: Run, text: str) -> str:
    return text.lstrip()


@method(str)
def trim_right(run: Run, text: str) -> str:
    return text.rstrip()


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
def split(run: Run, text: str, separator: str | Regex | None = None, most: int = -1) -> List:
    """The parts between white space, a str or what a pattern matches; `most` bounds the number of cuts."""
    if separator == "":
        raise errors.ValueError("expected a separator that is not empty")
    if isinstance(separator, Regex):
        return run.items(separator.pattern.split(text, max(most, 0)))
    return run.items(text.split(separator, most))


@method(str)
def replace(run: Run, text: str, old: str | Regex, new: str, most: int = -1) -> str:
    """With `new` for each `old`, at most so many times from the left."""
    if isinstance(old, Regex):
        if most == 0:
            return text
        if len(text) * len(new) > limits.MAX_TEXT:
            raise errors.MaxQuotaError(f"expected a text of at most {limits.MAX_TEXT} characters")
        return str(old.pattern.sub(lambda _: new, text, max(most, 0)))
    if len(text) + text.count(old) * len(new) > limits.MAX_TEXT:
        raise errors.MaxQuotaError(f"expected a text of at most {limits.MAX_TEXT} characters")
    return text.replace(old, new, most)


@method(List, tuple)
def join(run: Run, items: Array, separator: str = "") -> str:
    """The items, all of them str, as one."""
    for item in items:
        if type(item) is not str:
            raise errors.TypeError(f"expected a list of items of type `str` to join, not `{type_name(item)}`")
    return joined(items, separator)


@method(Regex)
def test(run: Run, regex: Regex, text: str) -> bool:
    return regex.pattern.search(text) is not None


@method(Regex)
def match(run: Run, regex: Regex, text: str) -> Value:
    """The text that matched, and each of its groups; nil if nothing did."""
    found = regex.pattern.search(text)
    return None if found is None else run.items((found[0], *found.groups()))
