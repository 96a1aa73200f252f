"""Filters of Django templates that take GreenThunks. Add the module to the `builtins` of the template engine.

    TEMPLATES = [{..., "OPTIONS": {"builtins": ["flowthings_like.integrations.django_filters"]}}]

Most of a template takes thunks as they are: `{{ flow.path }}`, `{% for drop in drops %}`, `{% if drops %}`.
Tests for None, and filters that need a real value, do not: `{% if flow|force is None %}`.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template import defaultfilters

from ..green.calls.thunk import force as value_of
from ..green.calls.thunk import unwrap

__all__ = ["register"]

register: Any = template.Library()


@register.filter(name="force")  # type: ignore[untyped-decorator]  # Django comes without types
def force(value: Any) -> Any:
    """The value behind a thunk; anything else as it is."""
    return value_of(value)


@register.filter(name="default_if_none", is_safe=False)  # type: ignore[untyped-decorator]  # Django comes without types
def default_if_none(value: Any, argument: Any) -> Any:
    """Django's filter, which compares identities."""
    return defaultfilters.default_if_none(value_of(value), value_of(argument))


@register.filter(name="json_script", is_safe=True)  # type: ignore[untyped-decorator]  # Django comes without types
def json_script(value: Any, element_id: str | None = None) -> Any:
    """Django's filter, whose encoder does not know thunks."""
    return defaultfilters.json_script(unwrap(value), element_id)
