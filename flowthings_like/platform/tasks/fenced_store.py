"""A store that only the leader can write to: a process that has led before is refused.

The store counts the terms of leaders. Each write of a leader checks, in its transaction, that its term is the
last one. So a process that was stopped for a while, and does not know yet that another one leads, changes
nothing any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sql

from ..problems import Unavailable
from ..resources.drops.resource_store import ResourceStore
from ..store.schema import leaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

__all__ = ["FencedStore"]

T = TypeVar("T")


class FencedStore(ResourceStore):
    """The store as a leader uses it. Its parts are those of the shared store.

    Args:
        store: the shared store.
        name: of what is led.
    """

    def __init__(self, store: ResourceStore, name: str) -> None:
        vars(self).update(vars(store))
        self._shared = store
        self._name = name
        self._term = 0

    def begin_term(self) -> None:
        """Begin a term: all writes of those who led before are refused from now on.

        Raises:
            Unavailable: the store could not be written.
        """
        self._term = self._shared.write(self._next_term)

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        clears_cache: bool = False,
        committed: Callable[[], object] | None = None,
    ) -> T:
        """The result of `work`, unless another process has begun a term.

        Raises:
            Unavailable: another process leads, or the store could not be written.
            Whatever `work` raises.
        """
        term = self._term

        def fenced(connection: Connection) -> T:
            if _last_term(connection, self._name) != term:
                raise Unavailable(f"another process runs the {self._name} now")
            return work(connection)

        return self._shared.write(fenced, clears_cache=clears_cache, committed=committed)

    def _next_term(self, connection: Connection) -> int:
        term = _last_term(connection, self._name) + 1
        this = leaders.c.name == self._name
        if not connection.execute(leaders.update().where(this).values(term=term)).rowcount:
            connection.execute(leaders.insert().values(name=self._name, term=term))
        return term


def _last_term(connection: Connection, name: str) -> int:
    found = connection.execute(sql.select(leaders.c.term).where(leaders.c.name == name)).scalar_one_or_none()
    return 0 if found is None else int(found)
