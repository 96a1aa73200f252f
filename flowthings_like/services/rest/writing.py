"""The base classes of the REST services that write (create, update, delete), and of service factories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

from ...changes import M
from ...errors import InvalidInput
from ...green.calls.markers import api_factory, chooses
from ...transport.http.urls import segment
from ...transport.outgoing_values import items, resolve, text
from . import bulk_forms
from .resource import BaseService, Findable, R, id_path

if TYPE_CHECKING:
    from .arguments import Id, Model, Models

__all__ = ["AbstractServiceFactory", "Creatable", "Deletable", "FullService", "Saveable"]


class Creatable(BaseService, Generic[R]):
    """A service with `create`."""

    def create(self, model: Model, **params: Any) -> R:
        """Create a resource, and return it with its id and all its members."""
        created: R = self._call("POST", "", _model(model), params)
        return created


class Saveable(Creatable[R]):
    """A service with `create`, `update`, `update_many` and `save`."""

    @bulk_forms.update
    def update(self, model: Model, **params: Any) -> R:
        """Change the members in the model, of the resource with the model's `id`, and return the resource.

        Of an M only the changes are sent.
        """
        id, changes = _changes(model)
        updated: R = self._call("PUT", id_path(id), changes, params)
        return updated

    def update_member(self, id: Id, name: str, value: Any, **params: Any) -> R:
        """Set one member of the resource with this id, and return the resource.

        Args:
            name: a top-level member, such as "capacity".
            value: the new value. To set null, use `update({"id": …, name: None})`.
        """
        value = resolve(value)
        if value is None:
            raise InvalidInput("update_member cannot send null; use update({'id': …, 'member': None})")
        path = f"{id_path(id)}/{segment(text(name, 'a member'))}"
        updated: R = self._call("PUT", path, value, params)
        return updated

    def update_many(self, models: Models, **params: Any) -> dict[str, R]:
        """Update several resources in one request, and return them as a dict of id to resource.

        Without models it returns {} and sends no request.
        """
        changes: dict[str, Any] = {}
        for model in items(models, "update_many", "models", "for one model write update(model)"):
            id, change = _changes(model)
            if id in changes:
                raise InvalidInput(f"update_many: the id {id!r} occurs twice; give one model for each id")
            changes[id] = change
        return self._call("MPUT", "", changes, params) if changes else {}

    @overload
    def save(self, model: Model, **params: Any) -> R: ...
    @overload
    def save(self, model: list[Model] | tuple[Model, ...], **params: Any) -> dict[str, R]: ...
    @chooses("_method_to_save")
    def save(self, model: Any, **params: Any) -> Any:
        """Call `update_many` for a list or tuple, `update` for a model with an id, else `create`."""
        method, what = self._method_to_save(model)
        return getattr(self, method)(*what, **params)

    def _method_to_save(self, model: Any) -> tuple[str, tuple[Any, ...]]:
        if not isinstance(model, M):
            model = resolve(model)
        if isinstance(model, list | tuple):
            return "update_many", (model,)
        return "update" if "id" in _model(model) else "create", (model,)


class Deletable(BaseService):
    """A service with `delete`."""

    def delete(self, id: Id, data: Any = None, **params: Any) -> Any:
        """Delete the resource with this id.

        Args:
            data: a body to send, for a platform that expects one.
        """
        return self._call("DELETE", id_path(id), data, params)


class FullService(Findable[R], Saveable[R], Deletable):
    """A service with all methods: it reads, creates, updates and deletes."""


class AbstractServiceFactory(BaseService):
    """A service that is called with a context to get another service: `api.drop(flow)`.

    Attributes:
        service_class: the class of the other service. It is called with (context, connection).
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
    """The id of a model or an M, and the body to send for an update."""
    whole, changes = model.done() if isinstance(model, M) else (_model(model), None)
    if whole.get("id") is None:
        raise InvalidInput(
            "this model has no 'id', which names the resource to change; create(model) makes a new resource"
        )
    return text(whole["id"], "the model's 'id'"), whole if changes is None else changes
