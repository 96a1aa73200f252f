"""What /readyz says of a platform that cannot answer, and what the log says of one that fails."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from flowthings_like.platform.embedded import open_platform
from flowthings_like.platform.ids import new_id
from flowthings_like.platform.monitoring.front import MonitoringFront
from flowthings_like.platform.monitoring.json_log import JSONFormatter
from flowthings_like.platform.problems import Unavailable


class Answers:
    """Statuses of a front."""

    def __init__(self, front: MonitoringFront) -> None:
        self._front = front
        self.headers: dict[str, str] = {}

    def __call__(self, path: str, **environ: Any) -> int:
        said: list[Any] = []
        asked = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_PORT": "80", **environ}
        b"".join(self._front(asked, lambda *args: said.extend(args)))
        self.headers = dict(said[1])
        return int(said[0][:3])


def test_a_platform_that_cannot_read_its_data_is_healthy_and_not_ready(tmp_path: Path) -> None:
    def check() -> None:
        if broken:
            raise Unavailable("the database is locked")

    broken: list[bool] = []
    with open_platform(tmp_path / "data", "acme") as platform:
        front = MonitoringFront(platform.front, platform.application, check)
        answers = Answers(front)
        assert (answers("/healthz"), answers("/readyz")) == (200, 200)
        broken.append(True)
        assert (answers("/healthz"), answers("/readyz")) == (200, 503)
        broken.clear()
        front.stop()
        assert (answers("/healthz"), answers("/readyz")) == (200, 503)


def test_an_error_of_the_database_has_no_values(tmp_path: Path) -> None:
    statement, value = text("SELECT absent FROM nowhere WHERE name = :name"), new_id("d")
    with (
        open_platform(tmp_path / "data", "acme") as platform,
        pytest.raises(Exception, match="nowhere") as failed,
    ):
        platform.store.read(lambda connection: connection.execute(statement, {"name": value}))
    assert value not in "".join(traceback.format_exception(failed.value))


def test_what_fails_is_logged_with_the_id_of_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def caller(self, *_: Any) -> None:
            raise ZeroDivisionError

    lines: list[dict[str, Any]] = []
    formatter = JSONFormatter()

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(formatter.format(record)))

    handler = Lines()
    logger = logging.getLogger("flowthings_like.platform")
    logger.addHandler(handler)
    try:
        with open_platform(tmp_path / "data", "acme") as platform:
            monkeypatch.setattr(platform.application, "_accounts", Broken())
            answers = Answers(MonitoringFront(platform.front, platform.application, lambda: None))
            asked = {"HTTP_ACCEPT_ENCODING": "", "HTTP_X_REQUEST_ID": "r-1", "HTTP_X_AUTH_TOKEN": "secret"}
            assert answers("/v4.0/acme/flow", **asked) == 500
    finally:
        logger.removeHandler(handler)
    assert answers.headers["X-Request-Id"] == "r-1"
    (line,) = lines
    assert (line["request_id"], line["level"]) == ("r-1", "error")
    assert "ZeroDivisionError" in line["exception"]
    assert "secret" not in json.dumps(line)
