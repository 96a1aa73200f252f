"""Lets one of several forked processes do something."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["OneProcess"]


class OneProcess:
    """Lets one of all forked processes run a block. If the block fails, another process may run it."""

    def __init__(self) -> None:
        self._taking, giving = os.pipe()
        self._giving = giving
        os.set_blocking(self._taking, False)
        os.write(giving, b"1")
        self._taken = False

    def __enter__(self) -> bool:
        try:
            self._taken = bool(os.read(self._taking, 1))
        except BlockingIOError:
            self._taken = False
        return self._taken

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._taken and error is not None:
            os.write(self._giving, b"1")
