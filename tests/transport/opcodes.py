"""Interrupting a piece of Python at every place where a signal handler could run, one after the other."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, FrameType, ModuleType
from typing import Any

# After these CPython looks whether a signal has come.
_CHECKED = ("CALL", "RESUME", "JUMP_BACKWARD", "JUMP_ABSOLUTE")


class Interrupted(BaseException):
    """What the signal handler of these tests raises."""


@cache
def _places(code: CodeType) -> frozenset[int]:
    """Offsets of the instructions before which an interrupt can come."""
    found, previous = set(), ""
    for instruction in dis.get_instructions(code):
        if previous.startswith(_CHECKED):
            found.add(instruction.offset)
        previous = instruction.opname
    return frozenset(found)


def interrupted_at(
    at: int, modules: ModuleType | tuple[ModuleType, ...], work: Callable[..., Any], *args: Any
) -> bool:
    """Run `work(*args)`, interrupted at the at-th place within `modules`. False if they have fewer."""
    count = 0
    files = {each.__file__ for each in (modules if isinstance(modules, tuple) else (modules,))}

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "call" or (event == "opcode" and frame.f_lasti in _places(frame.f_code)):
            count += 1
            if count == at:
                raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(*args)
    except Interrupted:
        pass
    finally:
        sys.settrace(before)
    return count >= at
