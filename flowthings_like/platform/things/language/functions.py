"""The functions of every scope: conversions, checks, errors, numbers, moments, data."""

from __future__ import annotations

from .run import Run
from .signature import function
from .text import text_of
from .values import Value, type_name


@function
def type_(run: Run, value: Value) -> str:
    return type_name(value)


@function
def bool_(run: Run, value: Value = False) -> bool:
    return bool(value)


@function
def str_(run: Run, value: Value = "") -> str:
    return text_of(value)
