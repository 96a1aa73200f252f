"""Flows and drops as text: lines for people, JSON for programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

__all__ = ["drop_line", "flow_line", "iso_time", "print_line", "to_json"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_PLAIN = re.compile(r"[^\s=\"\x00-\x1f\x7f-\x9f]+")
# JSON leaves these as they are. A terminal may take them for commands.
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def to_json(value: Any, indent: bool = False) -> str:
    """JSON that is safe to print: it has no control characters but the ends of lines."""
    options = orjson.OPT_INDENT_2 if indent else 0
    return orjson.dumps(value, option=options).decode().translate(_CONTROLS)


def iso_time(milliseconds: Any) -> str:
    """A creation date as ISO 8601, in UTC. What is no date that datetime knows is written as it is."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except (TypeError, OverflowError):
        return to_json(milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def drop_line(drop: Mapping[str, Any]) -> str:
    """A drop: its id, its date, and its elements as `name=value`."""
    elems = drop.get("elems")
    shown = [f"{_name(name)}={to_json(value)}" for name, value in elems.items()] if elems else []
    if "location" in drop:
        shown.append(f"location={to_json(drop['location'])}")
    return "  ".join([_name(str(drop.get("id"))), iso_time(drop.get("creationDate")), *shown])


def flow_line(flow: Mapping[str, Any]) -> str:
    """A flow: its id, its capacity and its path."""
    return f"{_name(str(flow.get('id')))}  {to_json(flow.get('capacity')):>9}  {_name(str(flow.get('path')))}"


def print_line(line: str) -> None:
    """Print a line at once, so that the reader of a pipe gets it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _name(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else to_json(text)
