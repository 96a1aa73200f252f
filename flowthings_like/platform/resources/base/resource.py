"""The declaration of a REST resource: what its documents look like, and what goes with writing them.

To add a resource, put a module beside flows.py and devices.py that makes one `Resource`:

    STATION = Resource("station", "w", members={"name": text(), "height": integer(0)}, required=("name",))

The registry finds it there. Its verbs, routes, references, statistics and the check of misspelt names follow
from the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..access import account_paths
from .members import checked

if TYPE_CHECKING:
    import sqlalchemy as sql

    from ...json_schema import Check
    from ..access.rights import Caller
    from ..drops.resource_store import ResourceStore
    from ..statistics.counters import Statistic

__all__ = ["SET_BY_PLATFORM", "Document", "Resource"]

Document = dict[str, Any]

SET_BY_PLATFORM = frozenset({"id", "creationDate", "creatorId", "lastEditDate", "lastEditorId"})
"""Members that a writer may send back unchanged or not, and that are ignored."""


def _as_is(_caller: Caller, document: Document) -> Document:
    return document


def _nothing(*_: Any) -> None:
    pass


def _no_extras(*_: Any) -> Document:
    return {}


@dataclass(frozen=True)
class Resource:
    """One kind of resource.

    Attributes:
        name: as in URLs, and in the `kind` column.
        letter: the first character of its ids.
        members: what a writer may set and the platform understands, each with its check. Other names are a
            client's own and are kept as they are, but near misses of these are refused.
        required: the members that a document must have.
        defaults: the members that a document is given if it does not have them.
        path_members: the members that say where in the account a document belongs, kept in the `path` column;
            the first that is there, if several may.
        paths_of: document -> the paths at which a caller needs the right to it, if these are not in
            `path_members`. A document that has none is for the master token alone.
        readonly: members beyond SET_BY_PLATFORM that only the platform sets.
        immutable: whether documents can be read and deleted only.
        check: (caller, document) -> the document to store, or BadRequest; after the members were checked. It
            looks at nothing but the document.
        before_transaction: (store, caller, members) checks that take long, on what was sent and not checked
            yet. They must not wait for the writer.
        before_write: (connection, caller, document, before) checks against other rows, and adjusts them;
            `before` is the stored document, None at creation.
        after_create: (connection, caller, document) writes what belongs to the new document elsewhere. It
            returns members that the creator gets to see once and that are not stored.
        after_delete: (connection, document) removes what belongs to the document elsewhere.
        after_update: (store) begins what is to be done in the background.
        present: document -> as it is shown now.
        actions: {name: (store, caller, body) -> the response's body} for POST /<resource>/<name>.
        pointers: members of any document that hold ids of this resource, for readers that ask for references.
        public_members: what a reader who has no right to a document gets to see of it in references.
        statistics: what is counted for each document.
        is_cached: whether the store's cache holds what such documents stand for.
        grants_rights: whether somebody's rights depend on such documents.
    """

    name: str
    letter: str
    members: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    path_members: tuple[str, ...] = ()
    paths_of: Callable[[Document], Collection[str]] | None = None
    readonly: frozenset[str] = frozenset()
    immutable: bool = False
    check: Callable[[Caller, Document], Document] = _as_is
    before_transaction: Callable[[ResourceStore, Caller, Mapping[str, Any]], None] = _nothing
    before_write: Callable[[sql.Connection, Caller, Document, Document | None], None] = _nothing
    after_create: Callable[[sql.Connection, Caller, Document], Document] = _no_extras
    after_delete: Callable[[sql.Connection, Document], None] = _nothing
    after_update: Callable[[ResourceStore], None] = _nothing
    present: Callable[[Document], Document] = field(default=lambda document: document)
    actions: Mapping[str, Callable[[ResourceStore, Caller, Any], Any]] = field(default_factory=dict)
    pointers: tuple[str, ...] = ()
    public_members: tuple[str, ...] = ()
    statistics: tuple[Statistic, ...] = ()
    is_cached: bool = False
    grants_rights: bool = False

    @cached_property
    def known(self) -> frozenset[str]:
        """All members that the platform knows."""
        return frozenset({*self.members, *self.readonly, *SET_BY_PLATFORM, *self.path_members})

    def validated(self, caller: Caller, model: Mapping[str, Any]) -> Document:
        """The document to store for a model. Raises BadRequest."""
        document = checked(model, self.members, self.required)
        for member in self.path_members:
            if member in document:
                account_paths.check(document[member], caller.account, member)
        document = self.check(caller, document)
        for member, value in self.defaults.items():
            document.setdefault(member, value)
        return document

    def path_of(self, document: Document) -> str | None:
        """Where in the account the document belongs."""
        return next((document[name] for name in self.path_members if name in document), None)

    def rights_at(self, document: Document) -> Collection[str]:
        """The paths at which a caller needs the right to the document."""
        if self.paths_of is not None:
            return self.paths_of(document)
        path = self.path_of(document)
        return () if path is None else (path,)
