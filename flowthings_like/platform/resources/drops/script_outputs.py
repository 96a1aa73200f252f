"""What the script of a track has returned for a drop: checked, and made into drops for flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from ...problems import BadRequest
from ..access import account_paths
from . import elements, validation

if TYPE_CHECKING:
    from .track_script import TrackScript

MOST_OUTPUTS = 1000
"""Most drops that a script may return for one drop."""


@dataclass(slots=True)
class Source:
    """A drop that a script is run on, and the types that its writer stated (JSON; None for none)."""

    drop: dict[str, Any]
    types: str | None = None


@dataclass(slots=True)
class Output:
    """One drop that a script has returned: where it goes, and the columns that it differs in from its source.

    Attributes:
        path: of the flow.
        elems: plain elements.
        location: a location; None for none.
        columns: the same as columns of the drops' table.
    """

    path: str
    elems: dict[str, Any]
    location: dict[str, Any] | None
    columns: dict[str, Any]

    def as_model(self) -> dict[str, Any]:
        """The drop as a simulation shows it."""
        shown: dict[str, Any] = {"path": self.path} if self.path else {}
        shown["elems"] = self.elems
        if self.location is not None:
            shown["location"] = self.location
        return shown


def routed(track: TrackScript, source: Source, value: Any) -> list[Output]:
    """What a script has returned for a drop, as drops and the paths of the flows that they go to.

    Raises:
        BadRequest: it is not a drop, a list of drops, a map from path to these, or null; a drop is wrong; or
            the script's writer may not write there.
    """
    if value is None:
        return []
    if isinstance(value, list) or (isinstance(value, dict) and "elems" in value):
        if not track.destinations:
            raise BadRequest("it returned drops without a path, and the track has no destination")
        by_path = dict.fromkeys(track.destinations, value)
    elif isinstance(value, dict):
        by_path = value
        for path in value:
            account_paths.check(path, track.writer.account, "the path")
            track.writer.require(path, "dropWrite")
    else:
        raise BadRequest("it must return a drop, a list of drops, a map from path to drops, or null")
    found: list[Output] = []
    for path, models in by_path.items():
        for model in models if isinstance(models, list) else [models]:
            if len(found) >= MOST_OUTPUTS:
                raise BadRequest(f"it returned more than {MOST_OUTPUTS} drops")
            found.append(_output(path, source, model))
    return found


def _output(path: str, source: Source, model: Any) -> Output:
    if isinstance(model, dict):  # its fhash belongs to the flow it was given for, and its age stays
        model = {name: each for name, each in model.items() if name not in ("fhash", "creationDate")}
    drop = validation.validated(model)
    old = source.drop["elems"]
    elems = _restored(drop.elems, old)
    types = dict(drop.types or {})
    if source.types is not None:
        for pointer, name in orjson.loads(source.types).items():
            if pointer not in types and elements.at(elems, pointer) == elements.at(old, pointer):
                types[pointer] = name
    columns = {
        "elems": validation.elems_text(elems),
        "types": orjson.dumps(types).decode() if types else None,
        "location": drop.location_text,
    }
    return Output(path, elems, drop.location, columns)


def _restored(new: Any, old: Any) -> Any:
    """`new`, with the numbers of `old` where the script left them.

    JavaScript knows no integers beyond 2^53, and no difference between 3 and 3.0.
    """
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: _restored(value, old[name]) if name in old else value for name, value in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [_restored(value, old[i]) if i < len(old) else value for i, value in enumerate(new)]
    return old if _is_number(new) and _is_number(old) and float(new) == float(old) else new


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
