"""Builtins: ThingsDB's functions as methods of a Client. Each makes a query; its arguments are variables."""

# mypy: disable-error-code="no-any-return"
# The node decides what a query returns. The annotations here follow ThingsDB's documentation.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...errors import InvalidInput

__all__ = ["Builtins"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Builtins:
    """The part of a Client that manages collections, users, tokens, modules, nodes and backups.

    A collection is given by its name or id. Each method raises what its query raises, such as ForbiddenError
    if the user lacks the privilege, and LookupError if there is no such object.
    """

    @abstractmethod
    def query(
        self,
        code: str,
        scope: str | None = None,
        timeout: float | None = None,
        skip_strip_code: bool = False,
        idempotent: bool = False,
        variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run code; see Client.query."""

    # Collections

    def collection_info(self, collection: int | str) -> dict[str, Any]:
        """A collection's name, number of things and so on."""
        return self._thingsdb("collection_info(collection)", collection=collection)

    def collections_info(self) -> list[dict[str, Any]]:
        """The same for all collections that the user may see."""
        return self._thingsdb("collections_info()")

    def has_collection(self, name: str) -> bool:
        """Whether there is a collection of that name."""
        return self._thingsdb("has_collection(name)", name=name)

    def new_collection(self, name: str) -> str:
        """Make a collection. Returns its name."""
        return self._thingsdb("new_collection(name)", name=name)

    def rename_collection(self, collection: int | str, new_name: str) -> None:
        """Rename a collection. Its rooms stay joined."""
        return self._thingsdb(
            "rename_collection(collection, new_name)", collection=collection, new_name=new_name
        )

    def del_collection(self, collection: int | str) -> None:
        """Delete a collection with everything in it."""
        return self._thingsdb("del_collection(collection)", collection=collection)

    def set_time_zone(self, collection: int | str, zone: str) -> None:
        """Set the time zone, such as "Europe/Amsterdam", in which a collection reads and writes times."""
        return self._thingsdb("set_time_zone(collection, zone)", collection=collection, zone=zone)

    def time_zones_info(self) -> list[str]:
        """The names of all time zones."""
        return self._thingsdb("time_zones_info()")

    # Users, tokens and privileges

    def user_info(self, user: str | None = None) -> dict[str, Any]:
        """One user: the given one, or the client's own."""
        if user is None:
            return self._thingsdb("user_info()")
        return self._thingsdb("user_info(user)", user=user)

    def users_info(self) -> list[dict[str, Any]]:
        """All users."""
        return self._thingsdb("users_info()")

    def has_user(self, name: str) -> bool:
        """Whether there is a user of that name."""
        return self._thingsdb("has_user(name)", name=name)

    def new_user(self, name: str) -> str:
        """Make a user without password, token and privileges. Returns the name."""
        return self._thingsdb("new_user(name)", name=name)

    def rename_user(self, name: str, new_name: str) -> None:
        """Rename a user."""
        return self._thingsdb("rename_user(name, new_name)", name=name, new_name=new_name)

    def del_user(self, name: str) -> None:
        """Delete a user and the user's tokens. A user cannot delete itself."""
        return self._thingsdb("del_user(name)", name=name)

    def set_password(self, user: str, new_password: str | None = None) -> None:
        """Set a user's password. None removes it; then the user authenticates with tokens only."""
        return self._thingsdb("set_password(user, new_password)", user=user, new_password=new_password)

    def grant(self, target: int | str, user: str, mask: int) -> None:
        """Grant privileges to a user.

        Args:
            target: a scope ("@thingsdb", "@node", "//stuff") or a collection.
            user: the user's name.
            mask: the sum of QUERY 1, CHANGE 2, GRANT 4, JOIN 8 and RUN 16; 31 is all of them.
        """
        return self._thingsdb("grant(target, user, mask)", target=target, user=user, mask=mask)

    def revoke(self, target: int | str, user: str, mask: int) -> None:
        """Revoke privileges. Takes the arguments of `grant`."""
        return self._thingsdb("revoke(target, user, mask)", target=target, user=user, mask=mask)

    def new_token(self, user: str, expiration_time: datetime | None = None, description: str = "") -> str:
        """Make a token for a user. None never expires. A time without a zone is local time."""
        return self._thingsdb(
            "new_token(user, is_nil(expiration_time) ? nil : datetime(expiration_time), description)",
            user=user,
            expiration_time=_timestamp("expiration_time", expiration_time),
            description=description,
        )

    def has_token(self, token: str) -> bool:
        """Whether there is such a token."""
        return self._thingsdb("has_token(token)", token=token)

    def del_token(self, key: str) -> None:
        """Delete a token."""
        return self._thingsdb("del_token(key)", key=key)

    def del_expired(self) -> None:
        """Delete all tokens that have expired."""
        return self._thingsdb("del_expired()")

    # Modules

    def module_info(self, name: str) -> dict[str, Any]:
        """A module's configuration and state."""
        return self._thingsdb("module_info(name)", name=name)

    def modules_info(self) -> list[dict[str, Any]]:
        """All modules."""
        return self._thingsdb("modules_info()")

    def has_module(self, name: str) -> bool:
        """Whether there is a module of that name."""
        return self._thingsdb("has_module(name)", name=name)

    def new_module(self, name: str, source: str, configuration: Any = None) -> None:
        """Install a module from a file name or a repository."""
        return self._thingsdb(
            "new_module(name, source, configuration)", name=name, source=source, configuration=configuration
        )

    def deploy_module(self, name: str, data: bytes | str | None = None) -> None:
        """Write a module's file on all nodes and restart it there; None only restarts it."""
        return self._thingsdb("deploy_module(name, data)", name=name, data=data)

    def refresh_module(self, name: str) -> None:
        """Download a module's source again."""
        return self._thingsdb("refresh_module(name)", name=name)

    def rename_module(self, name: str, new_name: str) -> None:
        """Rename a module."""
        return self._thingsdb("rename_module(name, new_name)", name=name, new_name=new_name)

    def set_module_conf(self, name: str, configuration: Any = None) -> None:
        """Configure a module."""
        return self._thingsdb("set_module_conf(name, configuration)", name=name, configuration=configuration)

    def set_module_scope(self, name: str, scope: str | None) -> None:
        """Set the scope in which a module may be used; None for all scopes."""
        return self._thingsdb("set_module_scope(name, module_scope)", name=name, module_scope=scope)

    def del_module(self, name: str) -> None:
        """Stop a module and delete it."""
        return self._thingsdb("del_module(name)", name=name)

    def restart_module(self, name: str, scope: str = "@n") -> None:
        """Restart a module on one node."""
        return self._node("restart_module(name)", scope, name=name)

    # Nodes

    def new_node(self, secret: str, name: str, port: int | None = 9220) -> int:
        """Add a node, which waits with this secret, to the cluster. Returns its id."""
        return self._thingsdb("new_node(secret, name, port)", secret=secret, name=name, port=port)

    def has_node(self, node_id: int) -> bool:
        """Whether there is a node of that id."""
        return self._thingsdb("has_node(id)", id=node_id)

    def del_node(self, node_id: int) -> None:
        """Remove a node. It must be shut down."""
        return self._thingsdb("del_node(id)", id=node_id)

    def restore(self, filename: str, options: Mapping[str, Any] | None = None) -> None:
        """Restore everything from a backup. The cluster must be empty."""
        return self._thingsdb("restore(filename, options)", filename=filename, options=dict(options or {}))

    def node_info(self, scope: str = "@n") -> dict[str, Any]:
        """A node's version, status and statistics."""
        return self._node("node_info()", scope)

    def nodes_info(self, scope: str = "@n") -> list[dict[str, Any]]:
        """All nodes, as one node sees them."""
        return self._node("nodes_info()", scope)

    def counters(self, scope: str = "@n") -> dict[str, Any]:
        """A node's counters since its start or their last reset."""
        return self._node("counters()", scope)

    def reset_counters(self, scope: str = "@n") -> None:
        """Set a node's counters to zero."""
        return self._node("reset_counters()", scope)

    def set_log_level(self, log_level: str, scope: str = "@n") -> None:
        """Set a node's log level: DEBUG, INFO, WARNING, ERROR or CRITICAL."""
        if log_level not in _LEVELS:
            raise InvalidInput(f"log_level is {log_level!r}; give one of {', '.join(_LEVELS)}")
        return self._node("set_log_level(log_level)", scope, log_level=_LEVELS.index(log_level))

    def shutdown(self, scope: str = "@n") -> None:
        """Shut a node down. Its clients go to other nodes, if there are any."""
        return self._node("shutdown()", scope)

    # Backups

    def new_backup(
        self,
        file_template: str,
        start_ts: datetime | None = None,
        repeat: int | None = 0,
        max_files: int | None = 7,
        scope: str = "@n",
    ) -> int:
        """Schedule a backup. Returns its id.

        Args:
            file_template: the file's name at the node, with {DATE}, {TIME} and the like in it.
            start_ts: when; None as soon as possible. A time without a zone is local time.
            repeat: seconds from one to the next; 0 makes one only.
            max_files: how many are kept.
        """
        return self._node(
            "new_backup(file_template, is_nil(start_ts) ? nil : datetime(start_ts), repeat, max_files)",
            scope,
            file_template=file_template,
            start_ts=_timestamp("start_ts", start_ts),
            repeat=repeat,
            max_files=max_files,
        )

    def backup_info(self, backup_id: int, scope: str = "@n") -> dict[str, Any]:
        """One scheduled backup."""
        return self._node("backup_info(id)", scope, id=backup_id)

    def backups_info(self, scope: str = "@n") -> list[dict[str, Any]]:
        """All scheduled backups."""
        return self._node("backups_info()", scope)

    def backups_ok(self, scope: str = "@n") -> bool:
        """Whether the last run of every backup succeeded."""
        return self._node("backups_ok()", scope)

    def has_backup(self, backup_id: int, scope: str = "@n") -> bool:
        """Whether there is a backup of that id."""
        return self._node("has_backup(id)", scope, id=backup_id)

    def del_backup(self, backup_id: int, delete_files: bool = False, scope: str = "@n") -> None:
        """Delete a scheduled backup, and with `delete_files` its files."""
        return self._node("del_backup(id, delete_files)", scope, id=backup_id, delete_files=delete_files)

    # How they are asked

    def _thingsdb(self, code: str, **variables: Any) -> Any:
        return self.query(code, "@t", skip_strip_code=True, variables=variables)

    def _node(self, code: str, scope: str, **variables: Any) -> Any:
        return self.query(code, scope, skip_strip_code=True, variables=variables)


def _timestamp(name: str, moment: datetime | None) -> int | None:
    """Seconds since 1970, as ThingsDB's functions expect it."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise InvalidInput(f"{name} is {moment!r}; give a datetime, or None")
    return int(moment.timestamp())
