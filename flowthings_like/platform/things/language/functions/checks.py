"""Functions that check the type of a value, or the form of a text."""

from __future__ import annotations

import re
from datetime import datetime
from math import isinf, isnan
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import FUNCTIONS, Builtin, function
from ..values.text import error_message
from ..values.types import (
    Closure,
    Failure,
    List,
    Regex,
    Room,
    Thing,
    ThingSet,
    Timeval,
    Value,
    type_name,
)

if TYPE_CHECKING:
    from ..runtime.builtin import Array
    from ..runtime.run import Run


def _declare_checks() -> None:
    checks: dict[str, tuple[type, ...]] = {
        "is_nil": (type(None),),
        "is_bool": (bool,),
        "is_int": (int,),
        "is_float": (float,),
        "is_str": (str,),
        "is_utf8": (str,),
        "is_bytes": (bytes,),
        "is_raw": (str, bytes),
        "is_list": (List,),
        "is_tuple": (tuple,),
        "is_array": (List, tuple),
        "is_set": (ThingSet,),
        "is_thing": (Thing,),
        "is_room": (Room,),
        "is_closure": (Closure,),
        "is_err": (Failure,),
        "is_regex": (Regex,),
        "is_datetime": (datetime,),
        "is_timeval": (Timeval,),
        "is_mpdata": (list, dict),
        # types that this node does not have
        "is_enum": (),
        "is_task": (),
        "is_future": (),
        "is_dict": (),
        "is_uuid": (),
        "is_ano": (),
    }
    for name, kinds in checks.items():

        def check(run: Run, value: Value, kinds: tuple[type, ...] = kinds) -> bool:
            return type(value) in kinds

        FUNCTIONS[name] = Builtin(check, name, most=1)


_declare_checks()


@function
def is_nan(run: Run, value: Value) -> bool:
    return type(value) not in (bool, int, float) or isnan(value)


@function
def is_inf(run: Run, value: Value) -> bool:
    if type(value) not in (bool, int, float):
        raise errors.TypeError(
            "function `is_inf` expects argument 1 to be of type `float` "
            f"but got type `{type_name(value)}` instead"
        )
    return isinf(value)


@function
def is_ascii(run: Run, value: Value) -> bool:
    return type(value) is str and value.isascii()


_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
_URL = re.compile(r"(?:https?|ftp)://[^\s/$.?#][^\s]*")


@function
def is_email(run: Run, value: Value) -> bool:
    return type(value) is str and _EMAIL.fullmatch(value) is not None


@function
def is_url(run: Run, value: Value) -> bool:
    return type(value) is str and _URL.fullmatch(value) is not None


@function
def type_assert(run: Run, value: Value, kinds: Value, message: str | None = None) -> None:
    if type(kinds) not in (str, List, tuple):
        raise errors.TypeError(
            "function `type_assert` expects argument 2 to be of type `str`, type `list` or type `tuple` "
            f"but got type `{type_name(kinds)}` instead"
        )
    wanted: Array = (kinds,) if type(kinds) is str else kinds
    for kind in wanted:
        if type(kind) is not str:
            raise errors.TypeError(
                "function `type_assert` expects argument 2 to be a list or tuple of type `str` "
                f"but got type `{type_name(kind)}` instead"
            )
    if type_name(value) not in wanted:
        raise errors.TypeError(error_message(message or "") or f"invalid type `{type_name(value)}`")
