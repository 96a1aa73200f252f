"""The driver of MySQL and MariaDB: PyMySQL."""

from __future__ import annotations

from typing import Any

from .base import Driver

__all__ = ["PyMySQL"]


class PyMySQL(Driver):
    """PyMySQL."""

    def blocks_green_threads(self) -> bool:
        return False

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        return connection.cursor(self.module.cursors.SSCursor)

    def is_closed(self, connection: Any) -> bool:
        return not connection.open

    def descriptor(self, connection: Any) -> int:
        sock = connection._sock
        return -1 if sock is None else sock.fileno()

    def abort(self, connection: Any) -> None:
        result = connection._result
        if result is not None:
            result.unbuffered_active = False  # else its __del__ reads the rest, and waits for it
        super().abort(connection)
