"""Names that are nearly right: a parameter or member that is one typing error away from one that is known.

Other unknown names are passed over, or kept as a client's own. Of these one that was meant to be known would
have no effect, and nobody would notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ...problems import BadRequest

PARAMETERS = frozenset(
    {
        *("filter", "start", "skip", "limit", "sort", "order", "only"),  # of a find
        *("path", "hints", "refs", "explain", "each"),  # of drops; of what is read
        *("level", "pretty", "flatten"),  # of statistics; of every answer; of old clients, without effect
    }
)
"""The parameters that mean something somewhere."""

_SHORTEST, _LONGEST = 3, 40  # characters of a name that is compared
_ONE_ERROR = 7  # most characters of a name in which one error is enough to make it another


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
        return False  # category2 is meant to be another one
    if name in (known, known + "s", known + "es"):
        return True
    # In a short name every letter counts: port is not sort.
    if len(known) < 5 and name[:1] != known[:1]:
        return False
    return abs(len(name) - len(known)) <= 2 and _errors(name, known) <= (1 if len(known) <= _ONE_ERROR else 2)


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _errors(one: str, other: str) -> int:
    """How many letters must be put in, left out, exchanged with their neighbour or replaced."""
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
