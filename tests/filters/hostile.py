"""Names and values that try to leave their quotes, in every language that a target writes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

PIECES = [
    *("'", '"', "`", "''", '""', "``", "\\", "\\'", '\\"', "\\\\", "[", "]", "{", "}", "(", ")", "<", ">"),
    *("--", "/*", "*/", "#", "//", ";", "|", "||", "&&", "!", "@", "$", "$$", "$1", "?", "%", "%s", "%%"),
    *("%(a)s", ":a", ":1", "{0}", "{a}", "${a}", "\n", "\r", "\t", "\0", "\x1f", "\x7f", "\u2028", "\u2019"),
    *("\u02bc", "\uff07", "é", "😀", "\ufeff", "\\u0027", "\\u0000", "\\x27", "\\n", "&#39;", "_", ".", ","),
    *(" ", "a", "b", "x1", "0", "1", "-1", "1e9", "null", "true", "NULL", "OR 1=1", "' OR ''='", '" OR ""="'),
    *("'; DROP TABLE t; --", ") UNION SELECT 1 --", ".a.del('b');", "'); wse(); //", "AGE", "EXISTS", "E'"),
    *("U&'", "x'27'", "q'[", "N'", "\\Z", "/", "\\/", "/i", "=~", "nil", "this", "__proto__", "toString"),
]


def texts(count: int, seed: int = 0) -> Iterator[str]:
    """That many texts, each of one to six pieces. None is empty. Equal seeds give equal texts."""
    random = Random(seed)  # not a secret
    for _ in range(count):
        yield "".join(random.choices(PIECES, k=random.randint(1, 6)))


def pairs(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """That many pairs of a name and a value."""
    return zip(texts(count, seed), texts(count, seed + 1), strict=True)
