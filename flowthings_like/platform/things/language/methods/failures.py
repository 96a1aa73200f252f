"""Methods of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.builtin import method
from ..values.types import Failure

if TYPE_CHECKING:
    from ..runtime.run import Run


@method(Failure)
def code(run: Run, error: Failure) -> int:
    return error.code


@method(Failure)
def msg(run: Run, error: Failure) -> str:
    return error.message
