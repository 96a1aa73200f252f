"""gunicorn's own log, in the format of the platform's."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from .json_log import JSONFormatter

__all__ = ["JSONLogger"]


class JSONLogger(Logger):  # type: ignore[misc]  # gunicorn comes without types
    """gunicorn's logger, as lines of JSON."""

    def setup(self, cfg: Any) -> None:
        """Configure the logger; gunicorn calls it, also after SIGHUP."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JSONFormatter())
