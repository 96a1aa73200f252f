"""Templates: texts with columns in them, such as `/acme/weather/{origin}`."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import Any

from ..errors import InvalidInput
from .table import Table, as_list

__all__ = ["Template"]


class Template:
    """A text with the names of columns in braces. `{{` and `}}` are braces.

    Args:
        text: such as "/acme/weather/{origin}".
        what: what it is, for the messages of errors.

    Raises:
        InvalidInput: a brace is not closed, or there is something else than a name between two.

    Attributes:
        names: the columns in it, each once.
    """

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self._what = what
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise InvalidInput(f"{what} {text!r}: {error}") from None
        if any(name is not None and (not name or form or how) for _, name, form, how in parts):
            raise InvalidInput(f"{what} {text!r}: between braces stands the name of a column")
        self._parts = [(before, name) for before, name, _, _ in parts]
        self.names = list(dict.fromkeys(name for _, name in self._parts if name))

    def check(self, names: Sequence[str]) -> None:
        """Raise InvalidInput if a column is not there."""
        for name in self.names:
            if name not in names:
                raise InvalidInput(
                    f"{self._what} {self.text!r}: there is no column {name!r}; "
                    f"the columns are {', '.join(names)}"
                )

    def groups(self, table: Table, reasons: dict[int, str]) -> dict[str, Sequence[int]]:
        """The places of the rows by what the template says for them.

        Args:
            reasons: takes why a row has none, by its place.
        """
        if not self.names:
            return {self._filled(()): range(len(table))}
        columns = [as_list(table.column(name)) for name in self.names]
        by_values: dict[Any, list[int]] = {}
        for place, values in enumerate(zip(*columns, strict=True)):
            found = by_values.get(values)
            if found is None:
                by_values[values] = [place]
            else:
                found.append(place)
        groups: dict[str, Sequence[int]] = {}
        for values, places in by_values.items():
            missing = [name for name, value in zip(self.names, values, strict=True) if value in (None, "")]
            if missing:
                reasons |= dict.fromkeys(places, f"{self._what}: the column {missing[0]!r} has no value")
                continue
            filled = self._filled(values)
            groups[filled] = [*groups[filled], *places] if filled in groups else places
        return groups

    def _filled(self, values: Sequence[Any]) -> str:
        by_name = dict(zip(self.names, values, strict=True))
        return "".join(before + ("" if name is None else str(by_name[name])) for before, name in self._parts)
