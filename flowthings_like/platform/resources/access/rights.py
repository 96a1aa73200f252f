"""Rights: what a caller may do, and at which paths.

The permissions are the platform's five. `dropRead` and `dropWrite` concern the drops of the flows at and
beneath a path; `read` and `write` the objects there (flows, tracks, tasks, …); `administer` is all four, and
the right to hand rights on. Rights from several sources add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...json_schema import SchemaCheck, map_of
from ...problems import BadRequest, Forbidden, NotFound
from . import account_paths

PERMISSIONS = ("read", "write", "dropRead", "dropWrite", "administer")

Grants = tuple[tuple[str, frozenset[str]], ...]
"""(path, permissions) pairs; each reaches everything beneath its path."""


@dataclass(frozen=True)
class Caller:
    """The caller of a request, as far as resources need to know.

    Attributes:
        account: the account whose resources are asked for.
        identity: id of the caller's own identity; stored as creatorId and lastEditorId.
        rights: what the caller may do and where; None for everything (the account's own master token).
        token: id of the token resource that the caller authenticated with, None for a master token.
        device: id of the device whose token that is, if it is one's.
        is_guest: whether the caller belongs to another account, so that it has rights here only by shares.
        max_capacity: the largest capacity that the operator lets a flow have, None for any.
    """

    account: str
    identity: str
    rights: Grants | None = None
    token: str | None = None
    is_guest: bool = False
    max_capacity: int | None = None
    device: str | None = None

    def may(self, path: str, permission: str) -> bool:
        """Whether the caller has `permission` at `path`. It has none outside the account."""
        if not account_paths.is_inside(self.account, path):
            return False
        if self.rights is None:
            return True
        return any(
            (permission in granted or "administer" in granted) and account_paths.covers(prefix, path)
            for prefix, granted in self.rights
        )

    def require(self, path: str, permission: str, what: str | None = None) -> None:
        """Raise unless the caller has `permission` at `path`.

        Args:
            what: what was asked for, as the caller named it, if not by its path: the message must not reveal
                the path.

        Raises:
            Forbidden: there is no such right.
            NotFound: nor any other at this path, and the account is not the caller's own.
        """
        if self.may(path, permission):
            return
        if what is not None and self.is_guest and not self._reaches(path):
            raise NotFound(f"there is no {what}")
        raise Forbidden(
            f"no {permission} right at {path}" if what is None else f"no {permission} right to {what}"
        )

    def _reaches(self, path: str) -> bool:
        return any(account_paths.covers(prefix, path) for prefix, _ in self.rights or ())

    def prefixes(self, permission: str) -> list[str] | None:
        """The paths beneath which the caller has `permission`; None for everywhere."""
        if self.rights is None:
            return None
        return [prefix for prefix, granted in self.rights if permission in granted or "administer" in granted]


def check(granted: Any, account: str, allowed: Iterable[str]) -> dict[str, dict[str, bool]]:
    """The `paths` member of a token or share, validated: {path: {permission: bool}}.

    Args:
        granted: what the writer sent.
        account: the account that every path must lie in.
        allowed: the permissions that may be granted here.

    Raises:
        BadRequest: saying which path or permission is wrong.
    """
    if not isinstance(granted, dict) or not granted:
        example = {f"/{account}/weather": {"dropRead": True}}
        raise BadRequest(f"paths is required: a map from path to permissions, such as {example}")
    names = tuple(allowed)
    clean: dict[str, dict[str, bool]] = {}
    for path, permissions in granted.items():
        prefix = account_paths.check_prefix(path, account)
        if not isinstance(permissions, dict) or not permissions:
            raise BadRequest(f"paths: {path} needs a map of permissions, such as {{'dropRead': true}}")
        for name, value in permissions.items():
            if name not in PERMISSIONS:
                raise BadRequest(f"paths: {path} has no permission {name!r}: there are {', '.join(names)}")
            if not isinstance(value, bool):
                raise BadRequest(f"paths: {path}: {name} must be true or false")
            if value and name not in names:
                raise BadRequest(f"paths: {path}: {name} cannot be granted here, only {', '.join(names)}")
        clean[prefix] = dict(permissions)
    return clean


def member(allowed: Iterable[str]) -> SchemaCheck:
    """The check of a member `paths`, which is checked whole by `check` once the caller is known.

    Args:
        allowed: the permissions that may be granted.
    """
    names = tuple(allowed)
    permissions = {
        "type": "object",
        "properties": {
            name: {"type": "boolean"} if name in names else {"const": False} for name in PERMISSIONS
        },
        "additionalProperties": False,
        "minProperties": 1,
    }
    schema = {**map_of(permissions, account_paths.PREFIX_SCHEMA), "minProperties": 1}
    return SchemaCheck(lambda _name, value: value, schema)


def grants(granted: Mapping[str, Mapping[str, bool]], always: frozenset[str] = frozenset()) -> Grants:
    """A stored `paths` member as grants; `always` is added wherever anything at all is granted."""
    found = []
    for path, permissions in granted.items():
        names = frozenset(name for name, value in permissions.items() if value)
        if names:
            found.append((path, names | always))
    return tuple(found)


def intersection(one: Grants, other: Grants) -> Grants:
    """The rights that are in both."""
    first, second = _by_path(one), _by_path(other)
    found = []
    for path in first | second:
        names = _reaching(first, path) & _reaching(second, path)
        if names:
            found.append((path, names))
    return tuple(found)


def _by_path(granted: Grants) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for path, names in granted:
        all_names = frozenset(PERMISSIONS) if "administer" in names else names
        found[path] = found.get(path, frozenset()) | all_names
    return found


def _reaching(granted: Mapping[str, frozenset[str]], path: str) -> frozenset[str]:
    """The permissions at a path: those granted there and at all paths above."""
    names: frozenset[str] = granted.get(path, frozenset())
    while "/" in path[1:]:
        path = path.rpartition("/")[0]
        names |= granted.get(path, frozenset())
    return names


def require_to_grant(caller: Caller, granted: Iterable[str]) -> None:
    """Raise Forbidden unless the caller administers all these paths, and so may grant rights at them."""
    for path in granted:
        caller.require(path, "administer")


def token_grants(token: Mapping[str, Any]) -> Grants:
    """The rights that a stored token carries; `read` comes with any of them."""
    return grants(token["paths"], always=frozenset({"read"}))
