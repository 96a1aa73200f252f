"""The base of GreenThunk. A type checker reads `proxied.pyi` instead: what a thunk of which value can do."""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["Proxied", "T_co"]

T_co = TypeVar("T_co", covariant=True)


class Proxied:
    """Nothing, at run time, but that `GreenThunk[list]` may be written."""

    __slots__ = ()

    def __class_getitem__(cls, item: Any) -> Any:
        return cls
