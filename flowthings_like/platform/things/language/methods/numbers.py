"""Methods of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.builtin import method

if TYPE_CHECKING:
    from ..runtime.run import Run


@method(int)
def bit_count(run: Run, number: int) -> int:
    """How many bits of the number without its sign are set."""
    return abs(number).bit_count()
