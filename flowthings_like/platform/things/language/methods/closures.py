"""Methods of closures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.builtin import method
from ..values.types import Closure, Value

if TYPE_CHECKING:
    from ..runtime.run import Run


@method(Closure)
def call(run: Run, closure: Closure, *args: Value) -> Value:
    return run.call(closure, *args)


@method(Closure)
def doc(run: Run, closure: Closure) -> str:
    """Return the string that the closure's block begins with, or ""."""
    return closure.doc
