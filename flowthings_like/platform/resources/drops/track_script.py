"""The script of a track, as it is stored, and the rights that it runs with.

A script may read and write what its writer was allowed to when the script was written. These rights are
stored with it, because a script can route drops to any path: a restricted token must reach no further by
writing a script than it does by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...scripts.script import Kind, Script
from ..access.rights import Caller, Grants

__all__ = ["TrackScript", "from_grants", "to_grants", "track_script"]


@dataclass(frozen=True, slots=True)
class TrackScript:
    """The script of a track.

    Attributes:
        track: the track's id.
        script: what is run.
        destinations: paths for drops that the script returns without one.
        writer: who wrote the script: it may read and write what the writer may.
    """

    track: str
    script: Script
    destinations: tuple[str, ...]
    writer: Caller


def track_script(
    track: str, source: str, body: Mapping[str, Any], destinations: tuple[str, ...]
) -> TrackScript | None:
    """The script of a stored track, None if it has none.

    Args:
        source: the path of the track's source.
        body: the track's document.
    """
    text = body.get("js")
    if not text:
        return None
    account = source.split("/")[1]
    rights = body.get("jsRights")
    writer = Caller(account, body.get("creatorId", ""), None if rights is None else to_grants(rights))
    return TrackScript(track, Script(Kind.TRACK, text, account), destinations, writer)


def to_grants(rights: Mapping[str, list[str]]) -> Grants:
    """The stored rights of a script's writer as grants."""
    return tuple((path, frozenset(names)) for path, names in rights.items())


def from_grants(rights: Grants | None) -> dict[str, list[str]] | None:
    """A writer's rights as they are stored with the script; None for all."""
    if rights is None:
        return None
    found: dict[str, set[str]] = {}
    for path, names in rights:
        found.setdefault(path, set()).update(names)
    return {path: sorted(names) for path, names in found.items()}
