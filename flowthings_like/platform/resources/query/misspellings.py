"""Refuses misspelt names: a parameter or member that is one typing error away from a known one.

Other unknown names are ignored, or stored as a client's own. A misspelt one would be, too: it would have no
effect, and nobody would notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ...problems import BadRequest
from . import parameters

PARAMETERS = frozenset(parameters.SCHEMAS)
"""The parameters that any request may have."""

_SHORTEST, _LONGEST = 3, 40  # characters of names that are compared
_SHORT_NAME = 7  # characters; longer names may have two errors


def check(names: Iterable[str], known: frozenset[str], what: str) -> None:
    """Raise BadRequest for a name that is a near miss of a known one.

    Args:
        what: what the names are called, such as "parameter".
    """
    for name in names:
        if name not in known and (meant := nearest(name, known)) is not None:
            raise BadRequest(f"there is no {what} {name!r}: did you mean {meant!r}?")


@lru_cache(maxsize=4096)
def nearest(name: str, known: frozenset[str]) -> str | None:
    """The known name that `name` is a near miss of, None if it is another name."""
    if not _SHORTEST <= len(name) <= _LONGEST:
        return None
    folded = _folded(name)
    found = [(_errors(folded, _folded(each)), each) for each in known if _is_near(folded, _folded(each))]
    return min(found)[1] if found else None


def _is_near(name: str, known: str) -> bool:
    if len(known) < _SHORTEST or re.findall(r"\d", name) != re.findall(r"\d", known):
        return False  # category2 is not a misspelt category1
    if name in (known, known + "s", known + "es"):
        return True
    # A short name must begin with the same letter: port is not a misspelt sort.
    if len(known) < 5 and name[:1] != known[:1]:
        return False
    return abs(len(name) - len(known)) <= 2 and _errors(name, known) <= _most_errors(known)


def _most_errors(known: str) -> int:
    """How many typing errors a misspelling of this name may have."""
    return 1 if len(known) <= _SHORT_NAME else 2


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _errors(one: str, other: str) -> int:
    """The edit distance: letters inserted, left out, replaced or exchanged with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
    return row[-1]
