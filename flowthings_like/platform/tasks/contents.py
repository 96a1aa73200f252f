"""What was fetched, as text or as drops without a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from ..problems import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...wire.http import Answer

__all__ = ["drops_from", "text_of"]

_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}\bencoding\s*=""", re.IGNORECASE)


def text_of(answer: Answer) -> str:
    """The body as text: in the charset that the answer names, or UTF-8. What is not in it becomes U+FFFD."""
    found = _CHARSET.search(answer.headers.get("content-type", ""))
    try:
        text = answer.body.decode(found.group(1) if found else "utf-8-sig", "replace")
    except (LookupError, ValueError):  # a charset that is not known, or is none for texts
        text = answer.body.decode("utf-8-sig", "replace")
    return text.encode("utf-8", "replace").decode()  # some charsets have halves of characters


def drops_from(answer: Answer, source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The drops that a declarative source makes of an answer.

    Raises:
        BadRequest: the body is not in the source's format, or has no such items.
    """
    form = source.get("format", "json")
    if form == "text":
        value: Any = text_of(answer)
    elif form == "xml":
        value = _parse_xml(answer)
    else:
        try:
            value = orjson.loads(answer.body)
        except ValueError as error:
            raise BadRequest(f"what was fetched is no JSON: {error}") from None
    for name in filter(None, source.get("items", "").split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [{"elems": _elems(item)} for item in items]


def _elems(item: Any) -> dict[str, Any]:
    if isinstance(item, dict):
        return {name: value for name, value in item.items() if value is not None}
    return {"text": item} if isinstance(item, str) else {"value": item}


def _parse_xml(answer: Answer) -> Any:
    """An XML document as maps: attributes as "@name", text beside them as "#text"."""
    # Imported here: few platforms fetch XML.
    from xml.parsers.expat import ExpatError

    import xmltodict

    declared = _ENCODING.match(answer.body) is not None
    try:
        # Entities are refused: they can grow without bound, or name other documents.
        return xmltodict.parse(answer.body if declared else text_of(answer), disable_entities=True)
    except (ExpatError, ValueError, LookupError) as error:
        raise BadRequest(f"what was fetched is no XML: {error}") from None
