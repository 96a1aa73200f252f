"""The verbs that write, and what a whole service is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

from ...changes import M
from ...errors import InvalidInput
from ...green.calls.marks import api_factory, chooses
from ...transport.http.urls import segment
from ...transport.values import items, resolve, text
from . import bulk_forms
from .resource import BaseService, Findable, R, id_path

if TYPE_CHECKING:
    from .arguments import Id, Model, Models

__all__ = ["AbstractServiceFactory", "Creatable", "Deletable", "FullService", "Saveable"]


class Creatable(BaseService, Generic[R]):
    """The verb that makes new ones."""

    def create(self, model: Model, **params: Any) -> R:
        """Create a resource and return it whole, with its id."""
        created: R = self._call("POST", "", _model(model), params)
        return created


class Saveable(Creatable[R]):
    """The verbs that write."""

    @bulk_forms.update
    def update(self, model: Model, **params: Any) -> R:
        """Change the members that the model holds, of the resource its `id` names; return the resource.

        With an M only what was changed is sent.
        """
        id, changes = _changes(model)
        updated: R = self._call("PUT", id_path(id), changes, params)
        return updated

    def update_member(self, id: Id, name: str, value: Any, **params: Any) -> R:
        """Set one member of the resource with this id and return the resource.

        Args:
            name: a top-level member, such as "capacity".
            value: its new value. To set null, use `update({"id": …, name: None})`.
        """
        value = resolve(value)
        if value is None:
            raise InvalidInput("update_member cannot send null; use update({'id': …, 'member': None})")
        path = f"{id_path(id)}/{segment(text(name, 'a member'))}"
        updated: R = self._call("PUT", path, value, params)
        return updated

    def update_many(self, models: Models, **params: Any) -> dict[str, R]:
        """`update` for several models in one request (none for no models): a dict of id to resource."""
        changes: dict[str, Any] = {}
        for model in items(models, "update_many", "models", "for one model write update(model)"):
            id, change = _changes(model)
            if id in changes:
                raise InvalidInput(
                    f"update_many: the id {id!r} occurs twice, and only one of the two could win"
                )
            changes[id] = change
        return self._call("MPUT", "", changes, params) if changes else {}

    @overload
    def save(self, model: Model, **params: Any) -> R: ...
    @overload
    def save(self, model: list[Model] | tuple[Model, ...], **params: Any) -> dict[str, R]: ...
    @chooses("_verb_to_save")
    def save(self, model: Any, **params: Any) -> Any:
        """`update_many` for a list or tuple of models, `update` for a model with an id, else `create`."""
        verb, what = self._verb_to_save(model)
        return getattr(self, verb)(*what, **params)

    def _verb_to_save(self, model: Any) -> tuple[str, tuple[Any, ...]]:
        if not isinstance(model, M):
            model = resolve(model)
        if isinstance(model, list | tuple):
            return "update_many", (model,)
        return "update" if "id" in _model(model) else "create", (model,)


class Deletable(BaseService):
    """The verb that removes."""

    def delete(self, id: Id, data: Any = None, **params: Any) -> Any:
        """Delete the resource with this id.

        Args:
            data: a body to send along, if the platform wants one.
        """
        return self._call("DELETE", id_path(id), data, params)


class FullService(Findable[R], Saveable[R], Deletable):
    """All the verbs."""


class AbstractServiceFactory(BaseService):
    """A service that must be told of what before it can do much: `api.drop(flow)`.

    Attributes:
        service_class: what calling it makes, from (context, connection).
    """

    service_class: Any = None

    @api_factory
    def __call__(self, context: Any) -> Any:
        """The service for this context."""
        return self.service_class(context, self.connection)


def _model(model: Any) -> Mapping[str, Any]:
    found = resolve(model)
    if not isinstance(found, Mapping):
        raise InvalidInput(f"a model is a dict, not {type(found).__name__}")
    return found


def _changes(model: Any) -> tuple[str, Mapping[str, Any]]:
    """(id, what to send) of a model or an M."""
    whole, changes = model.done() if isinstance(model, M) else (_model(model), None)
    if whole.get("id") is None:
        raise InvalidInput(
            "this model has no 'id' to say which resource to change; create(model) makes a new one"
        )
    return text(whole["id"], "the model's 'id'"), whole if changes is None else changes
