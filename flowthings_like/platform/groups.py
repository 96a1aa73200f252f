"""Groups of identities, for shares to be issued to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .members import checked, ids, text
from .resources import Document, Kind

if TYPE_CHECKING:
    from .rights import Caller


def _check(_caller: Caller, document: Document) -> Document:
    members = {"memberIds": ids("i"), "displayName": text(), "description": text()}
    return checked(document, members, required=["memberIds"])


GROUP = Kind("group", "g", check=_check, grants=True)
