"""Methods of regular expressions, and splitting and replacing by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .....wire.things import errors
from .. import limits
from ..runtime.builtin import method
from ..values.types import Closure, List, Regex, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..runtime.run import Run

__all__ = ["replaced", "split_by"]


@method(Regex)
def test(run: Run, regex: Regex, text: str) -> bool:
    return regex.pattern.search(text) is not None


@method(Regex)
def match(run: Run, regex: Regex, text: str) -> Value:
    """Return the match and its groups, up to the last group that matched; nil if nothing matched."""
    found = regex.pattern.search(text)
    return None if found is None else run.items((found[0], *_groups(found, all=False)))


def _groups(found: Any, all: bool = True) -> list[str]:
    """Return what the groups matched, "" for one that did not. `all` keeps trailing ones that did not."""
    groups = list(found.groups())
    while not all and groups and groups[-1] is None:
        groups.pop()
    return ["" if group is None else group for group in groups]


def _matches(run: Run, regex: Regex, text: str, most: int | None) -> Iterator[Any]:
    """Yield the matches from the left: at most so many, and none after an empty one."""
    for count, found in enumerate(regex.pattern.finditer(text)):
        run.spend()
        if count == most:
            return
        yield found
        if found.start() == found.end():
            return


def split_by(run: Run, regex: Regex, text: str, most: int | None) -> List:
    """Return the parts between the matches, and what the groups of the matches matched."""
    if most is not None and most < 0:
        raise errors.ValueError(
            "function `split` does not support backward (negative) splits when used with a regular expression"
        )
    parts: list[str] = []
    at = 0
    for found in _matches(run, regex, text, most):
        parts += [text[at : found.start()], *_groups(found)]
        at = found.end()
    parts.append(text[at:])
    return run.items(parts)


class _Place(NamedTuple):
    """A part of a text that is to be replaced, and what a closure is called with before the positions."""

    start: int
    end: int
    groups: list[str]


def replaced(run: Run, text: str, old: str | Regex, new: str | Closure, most: int | None) -> str:
    """Replace each `old` by `new`: at most `most` times, from the right if that is negative.

    Raises:
        MaxQuotaError: the result is too long.
    """
    if isinstance(new, Closure):
        run.check_effects(new)
    if isinstance(old, Regex):
        if most is not None and most < 0:
            raise errors.ValueError(
                "function `replace` does not support backward (negative) replacements "
                "when used with a regular expression"
            )
        places = [
            _Place(found.start(), found.end(), [*_groups(found), found[0]])
            for found in _matches(run, old, text, most)
        ]
    else:
        places = [_Place(at, at + len(old), []) for at in _positions(run, text, old, most)]
    parts: list[str] = []
    size = at = 0
    behind = 0  # position in bytes: the closure gets positions in bytes
    for place in places:
        if isinstance(new, str):
            part = new
        else:
            first = behind + len(text[at : place.start].encode())
            behind = first + len(text[place.start : place.end].encode())
            part = _called(run, new, [*place.groups, first, behind, text])
        parts += [text[at : place.start], part]
        at = place.end
        size += len(part)
        if size + len(text) > limits.MAX_TEXT:
            raise errors.MaxQuotaError(f"expected a text of at most {limits.MAX_TEXT} characters")
    return "".join((*parts, text[at:]))


def _positions(run: Run, text: str, part: str, most: int | None) -> list[int]:
    """Return the positions of the part in ascending order: the first `most`, or the last if negative."""
    backward = most is not None and most < 0
    found: list[int] = []
    at = len(text) if backward else 0
    while most is None or len(found) < abs(most):
        run.spend()
        at = text.rfind(part, 0, at) if backward else text.find(part, at)
        if at < 0:
            break
        found.append(at)
        at += 0 if backward else len(part)
    return found[::-1] if backward else found


def _called(run: Run, closure: Closure, args: list[Value]) -> str:
    result = run.call(closure, *args)
    if type(result) is not str:
        raise errors.TypeError(
            "replace callback is expecting a return value of type `str` "
            f"but got type `{type_name(result)}` instead"
        )
    return result
