"""How a database reads the columns of indexed elements: the contract for the query planner and filters.

What is stored for an element is one value: a number, a string or a marker, in this order (see
filters.index_columns). A statement that is written out as text is short of a page and begins with the flow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from ....filters.index_columns import Column, Rule

__all__ = ["SlotSql", "Written"]


class Written(NamedTuple):
    """SQL that is written out, each parameter a `?` in it, and the values of the parameters."""

    text: str
    values: tuple[Any, ...]


class SlotSql(ABC):
    """How one database reads the columns of indexed elements.

    Attributes:
        columns: by slot, for filters.
        explain: what to write before a statement to be told how the database does it.
    """

    columns: Sequence[Column]
    explain: str

    @abstractmethod
    def source(self, slot: int) -> str:
        """FROM and WHERE for a flow's drops that have an element. Its parameter is the flow."""

    @abstractmethod
    def all_indexed(self) -> str:
        """FROM and WHERE for all drops of a flow that has indexes. Its parameter is the flow."""

    @abstractmethod
    def of_rule(self, rule: Rule) -> Written:
        """The tests of a rule, to stand behind other conditions."""

    @abstractmethod
    def compared(self, slot: int, op: str, value: bytes | str) -> Written:
        """A comparison with a string or marker, to stand behind other conditions; numbers are below it."""

    @abstractmethod
    def is_scalar(self, slot: int) -> str:
        """The condition that a number or string is stored."""

    @abstractmethod
    def is_no_scalar(self, slot: int) -> str:
        """The condition that a marker or nothing is stored."""

    @abstractmethod
    def order(self, slot: int, direction: str) -> str:
        """The order of an element's index, ASC or DESC."""

    @abstractmethod
    def sort(self, slot: int, direction: str) -> Sequence[str]:
        """The order by an element's numbers and strings, ASC or DESC, drops without one last."""

    @abstractmethod
    def by_rule(
        self, select: str, flow_id: str, rules: Iterable[Rule], rule: Rule, direction: str
    ) -> Written:
        """The drops of a flow that pass `rules`, read by the index of `rule` and ordered by id.

        Args:
            select: SELECT with its columns and FROM drops.
            rule: one of the rules. If it is no equality, few drops pass it.
        """

    @abstractmethod
    def count(self, rule: Rule, most: int) -> Written:
        """The statement that counts, up to `most`, the drops of a flow that pass a rule; without the flow."""

    @abstractmethod
    def restrict(self, statement: Select[Any], rule: Rule) -> Select[Any]:
        """A statement over a flow's drops, restricted to those that pass a rule, read by its index."""

    @abstractmethod
    def newest(self, rule: Rule) -> tuple[ColumnElement[Any], ...]:
        """The columns that, descending, order the drops that pass a rule newest first."""

    @abstractmethod
    def hint(self, statement: Select[Any], index: str) -> Select[Any]:
        """A statement over drops that reads this index, if the database takes hints."""

    def of_rules(self, rules: Iterable[Rule]) -> Written:
        """The tests of rules, to stand behind other conditions."""
        parts = [self.of_rule(rule) for rule in rules]
        return Written("".join(part.text for part in parts), sum((part.values for part in parts), ()))
