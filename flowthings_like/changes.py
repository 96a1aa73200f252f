"""P collects query parameters. M collects changes to a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from .errors import InvalidInput
from .filters.nodes import Filter
from .filters.text import parse
from .transport.outgoing_values import resolve

if TYPE_CHECKING:
    from .green.calls.thunk import GreenThunk

__all__ = ["M", "Modify", "P", "Params", "filter_text", "join_filters"]


class Params:
    """Query parameters, given as keywords, as a mapping, or by one method call for each.

    >>> P(start=10, limit=100).refs(True).only("name", "path").to_dict()
    {'start': 10, 'limit': 100, 'refs': 1, 'only': 'name,path'}

    Every name is a method that sets the parameter of that name and returns the same object. Three convert
    their
    arguments: `refs` to 1 or 0, `only` to a comma-separated list, `filter` to the text of one filter (several
    filters are joined by &&). A parameter with the name of a method of this class can be given to the
    constructor: `P({"to_dict": 1})`.

    Raises:
        InvalidInput: a value of `filter` is not a filter, or a name for `only` is not a str.
    """

    def __init__(self, params: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self._params: dict[str, Any] = {}
        for name, value in {**(params or {}), **more}.items():
            self._set(name, value)

    @classmethod
    def of(cls, params: Mapping[str, Any] | Params | None) -> Params:
        """Return `params` if it is a P; else a new P with the parameters of a mapping."""
        if isinstance(params, Params):
            return params
        if params is None or isinstance(params, Mapping):
            return cls(params)
        raise InvalidInput(f"params must be a dict or a P, not {type(params).__name__}")

    def refs(self, wanted: Any) -> Params:
        """Whether the answer includes the objects to which it refers."""
        self._params["refs"] = 1 if wanted else 0
        return self

    def only(self, *names: str | Iterable[str]) -> Params:
        """The top-level members to return."""
        parts = [part for name in names for part in ([name] if isinstance(name, str) else name)]
        if not all(isinstance(part, str) for part in parts):
            raise InvalidInput("only: give names of members, each a str")
        self._params["only"] = ",".join(parts)
        return self

    def filter(self, *filters: Any) -> Params:
        """Filters and texts of filters. A resource must match all of them."""
        parts = [part for given in filters for part in _several(given)]
        text = join_filters(parts) if parts else None
        self._params.pop("filter", None)
        if text is not None:
            self._params["filter"] = text
        return self

    def to_dict(self) -> dict[str, Any]:
        """The parameters so far, as a new dict."""
        return dict(self._params)

    def _set(self, name: str, value: Any) -> None:
        value = resolve(value)
        if name in ("refs", "only", "filter"):
            if value is not None:
                getattr(self, name)(value)
        else:
            self._params[name] = value

    def __getattr__(self, name: str) -> Callable[[Any], Params]:
        if name.startswith("_"):
            raise AttributeError(name)

        def setter(value: Any) -> Params:
            self._params[name] = value
            return self

        return setter

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Params) and self._params == other._params

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"P({self._params!r})"


P = Params


def _several(given: Any) -> Iterable[Any]:
    return given if isinstance(given, list | tuple) else (given,)


def filter_text(given: Any) -> str:
    """The text of one filter. A str is returned unchanged.

    Raises:
        InvalidInput: it is neither a Filter nor a str. The message explains how a False or None came about.
    """
    given = resolve(given)
    if isinstance(given, Filter | str):
        return str(given)
    if given is True or given is False:
        raise InvalidInput(
            f"a filter is {given}: Python compared two values before a filter could be built; "
            "compare a member, for example mem.elems.temp > 90, and combine with & | ~"
        )
    if given is None:
        raise InvalidInput("a filter is None; leave the argument out to find everything")
    raise InvalidInput(
        f"a filter is a {type(given).__name__}; give something like mem.path == '/acme/a', or its text"
    )


def join_filters(filters: Iterable[Any]) -> str:
    """The text of several filters joined by &&. Empty texts are left out.

    A single text is not parsed, because the platform does that. A text that is joined to others is parsed
    first, because an unbalanced parenthesis in it would change the meaning of the others.

    Raises:
        InvalidInput: one of them is not a filter, or (FilterSyntaxError) does not parse.
    """
    parts = [(resolve(given), filter_text(given)) for given in filters]
    if len(parts) == 1:
        return parts[0][1]
    nodes = [node for given, text in parts if (node := _node(given, text)) is not None]
    return str(reduce(lambda left, right: left.AND(right), nodes)) if nodes else ""


def _node(given: Any, text: str) -> Filter | None:
    return given if isinstance(given, Filter) else parse(text)


class Modify(Mapping[str, Any]):
    """A model and the changes to it.

    >>> m = M({"id": "f1", "capacity": 10}, displayName="Foo")
    >>> m["capacity"] = 20
    >>> m.done()
    ({'id': 'f1', 'capacity': 20, 'displayName': 'Foo'}, {'capacity': 20, 'displayName': 'Foo'})

    The model is copied, so the caller's model is never changed. Changes are found by comparison with the
    copy: an edit deep inside a member is a change of that member, and setting an equal value is no change.
    Members cannot be removed, because the platform's update cannot remove them.

    Args:
        model: the model before the changes, a mapping or a GreenThunk; None for an empty model. It may be
            given by name, too.
        changes: members to change now. After a model that is given by position, `model` is such a member.
    """

    def __init__(self, model: Mapping[str, Any] | GreenThunk[Any] | None = None, /, **changes: Any) -> None:
        if model is None and "model" in changes:  # the documented name; after a model it is a member
            model = changes.pop("model")
        given = resolve(model)
        if given is not None and not isinstance(given, Mapping):
            raise InvalidInput(f"M: a model is a dict, not {type(given).__name__}")
        self._before: dict[str, Any] = copy.deepcopy(dict(given or {}))
        self._model = copy.deepcopy(self._before)
        for key, value in changes.items():
            self.modify(key, value)

    def modify(self, key: str, val: Any) -> Modify:
        """Set one member, and return this object."""
        self._model[key] = val
        return self

    def done(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The model with the changes, and the changes alone. Both are copies."""
        changes = {
            key: value
            for key, value in self._model.items()
            if key not in self._before or not _same(self._before[key], value)
        }
        return copy.deepcopy(self._model), copy.deepcopy(changes)

    def unwrap(self) -> dict[str, Any]:
        """The model with the changes, a copy."""
        return self.done()[0]

    def __getitem__(self, key: str) -> Any:
        return self._model[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._model[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._model)

    def __len__(self) -> int:
        return len(self._model)

    def __repr__(self) -> str:
        return f"M({self._model!r})"


M = Modify


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: True is not 1, and 1 is not 1.0."""
    one, other = resolve(one), resolve(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
