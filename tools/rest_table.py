"""Write the table of operations in docs/rest.md, which is made from the platform's routes.

python -m tools.rest_table
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.rest import openapi
from flowthings_like.platform.rest.routes import Router

PAGE = Path(__file__).parents[1] / "docs" / "rest.md"
_TABLE = re.compile(r"(?<=\| request \| effect \|\n\|---\|---\|\n)(\|.*\n)*")


def written(page: str) -> str:
    """The page with the table as it must be."""
    return _TABLE.sub("".join(f"| `{request}` | {effect} |\n" for request, effect in _rows()), page, count=1)


def _rows() -> Iterator[tuple[str, str]]:
    document = openapi.document(Router(registry.resources().values()).routes(), "v4.0")
    for path, item in document["paths"].items():
        for method, operation in {**item, **item.get(openapi.ADDITIONAL, {})}.items():
            if method not in ("parameters", openapi.ADDITIONAL):
                yield f"{method.upper()} {path}", operation["summary"]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
