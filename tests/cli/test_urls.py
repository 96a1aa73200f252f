"""URLs on a command line: what is shown of them, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like.cli.bus_option import without_login
from flowthings_like.cli.main import main
from flowthings_like.cli.store_option import without_password

pytestmark = pytest.mark.once


@pytest.mark.parametrize("password", ["secret", "sec/ret", "sec?ret", "sec#ret", "sec:ret", "sec%40ret"])
def test_a_password_is_neither_shown_nor_taken_from_the_command_line(
    password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Characters that should have been written with a percent sign end no password, as in SQLAlchemy."""
    url = f"postgresql://user:{password}@db.example.com:5432/weather?sslmode=require"
    assert without_password(url) == "postgresql://user@db.example.com:5432/weather"
    assert without_login(f"redis://:{password}@[::1]:6379/3") == "redis://[::1]:6379/3"
    for command in ("serve", "migrate"):
        assert main([command, "--store", url]) == 2
        said = capsys.readouterr().err
        assert "put the URL into FLOWTHINGS_STORE_URL" in " ".join(said.split())
        assert password not in said


@pytest.mark.parametrize(
    "url", ["postgresql://h/db", "postgresql://u@[::1]/db", "sqlite:////tmp/x.db", "redis://h"]
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url
    assert without_password(f"{url}?password=secret") == url


def test_a_url_is_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://user:secret@db.example.com/weather"
    for command in (["serve"], ["flows"], ["find", "/acme/a"]):
        assert main([*command, "--data", url]) in (1, 2)
        said = capsys.readouterr()
        assert "--store" in said.err
        assert "secret" not in said.err + said.out


def test_migrate_names_the_package_that_is_missing(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['sqlalchemy'] = None; "
        "from flowthings_like.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "migrate", "--store", "postgresql://h/db"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "flowthings-like: a platform's tables need sqlalchemy: "
        "pip install 'flowthings_like[embedded,postgresql]'\n"
    )
