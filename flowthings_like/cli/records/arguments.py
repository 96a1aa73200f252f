"""The arguments of each command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["CommonArguments", "FollowArguments", "GetArguments", "PutArguments", "RangeArguments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonArguments:
    """Where the records are, and what a file of them holds.

    Attributes:
        data, server, profile: a folder, a URL or a profile; at most one of them.
        account: the account in the folder.
        cafile: the authorities to trust.
        payload: what the payloads are.
        format: of the file; None if its name says it.
    """

    data: Path | None
    server: str | None
    profile: str | None
    account: str
    cafile: str | None
    payload: str
    format: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeArguments(CommonArguments):
    """The bounds of each field of the key, the upper one excluded; None for all."""

    cid: tuple[int, int] | None
    mid: tuple[int, int] | None
    moid: tuple[int, int] | None
    cap: tuple[int, int] | None
    acq: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetArguments(RangeArguments):
    """Of `get`: the file to write; None for stdout."""

    output: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowArguments(RangeArguments):
    """Of `follow`.

    Attributes:
        output: the file to continue; None for stdout.
        acq_file: where to keep how far it is.
        every: seconds between two looks.
        once: whether it ends when all is written that is there.
    """

    output: Path | None
    acq_file: Path | None
    every: float
    once: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PutArguments(CommonArguments):
    """Of `put`.

    Attributes:
        file: the file to read; None for stdin.
        cid, mid, moid: the fields of all keys, if there is no such column.
        acq: whether the column acq is stored, too.
        skip_invalid: whether records that cannot be stored are left out.
        chunk: most records of one put.
        skip: records at the beginning to leave out.
    """

    file: Path | None
    cid: int | None
    mid: int | None
    moid: int | None
    acq: bool
    skip_invalid: bool
    chunk: int
    skip: int
