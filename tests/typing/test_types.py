"""A type checker reports nothing in correct scripts of users, and every mistake in others.

The two scripts and the documentation's snippets are checked in one run of mypy, which is most of the cost.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest

from flowthings_like import API, Token
from tools import parallel_types

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PAGES = (
    "README.md",
    "docs/tutorial.md",
    "docs/types.md",
    "docs/parallel.md",
    "docs/errors.md",
    "docs/compatibility.md",
)


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """{script: {line: the error that mypy --strict reports}}"""
    folder = tmp_path_factory.mktemp("scripts")
    for name in ("correct", "mistakes"):
        (folder / f"{name}.py").write_text((HERE / f"{name}.py").read_text(encoding="utf-8"))
    for page in PAGES:
        snippets = re.findall(
            r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        (folder / f"page_{Path(page).stem}.py").write_text("\n".join(snippets), encoding="utf-8")
    scripts = sorted(folder.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", *scripts],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, str]] = {script.stem: {} for script in scripts}
    for line in done.stdout.splitlines():
        script, number, said = line.split(":", 2)
        if said.lstrip().startswith("error"):
            found[Path(script).stem][int(number)] = said
    return found


@pytest.mark.once
def test_every_planted_mistake_is_found(errors: dict[str, dict[int, str]]) -> None:
    lines = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    planted = {number for number, line in enumerate(lines, 1) if line.endswith("# !")}
    found = errors["mistakes"]
    assert [lines[number - 1] for number in sorted(planted - found.keys())] == []
    assert {lines[number - 1]: found[number] for number in found.keys() - planted} == {}
    assert len(planted) >= 40


@pytest.mark.once
@pytest.mark.parametrize("script", ["correct", *(f"page_{Path(page).stem}" for page in PAGES)])
def test_nothing_is_said_of_a_correct_script(script: str, errors: dict[str, dict[int, str]]) -> None:
    assert errors[script] == {}


@pytest.mark.once
def test_the_types_behind_lazy_and_async_are_those_of_the_services() -> None:
    assert parallel_types.main(["--check"]) == 0


def test_help_lists_the_platforms_parameters() -> None:
    api = API(Token("acme", "secret"), host="flows.example.com")
    for verb in (api.flow.find, api.flow.find_many, api.drop("f1").find, api.drop("f1").find_many):
        shown = str(signature(verb))
        for part in (
            "limit: 'int | None' = None",
            "order:",
            "sort:",
            "only:",
            "refs:",
            "filter:",
            "**params",
        ):
            assert part in shown, shown
    assert "only:" in str(signature(api.flow.read))


def test_a_service_says_what_it_is_and_what_it_has(flowthings_platform: API) -> None:
    api = flowthings_platform
    flow = api.flow.create({"path": "/acme/a"})
    assert repr(api.flow) == "<FlowService /flow of acme at embedded.invalid>"
    assert repr(api.drop("/acme/a")) == "<DropService /drop/%2Facme%2Fa of acme at embedded.invalid>"
    assert repr(api.root) == "<BaseService / of acme at embedded.invalid>"
    assert api.creds.token not in repr(api.flow) + repr(api.lazy()) + repr(api.async_().drop(flow))
    for seen in (api.lazy(), api.async_()):
        assert {"flow", "drop", "track", "statistics", "things"} <= set(dir(seen))
        assert {"find", "read", "create", "iterate", "path"} <= set(dir(seen.flow))
        assert {"create_many", "aggregate", "delete_all"} <= set(dir(seen.drop("f1")))
        assert repr(seen.flow) == "<View of <FlowService /flow of acme at embedded.invalid>>"
    assert "results" in dir(api.async_())
    assert "map" in dir(api.lazy())


def test_a_service_of_a_thunk_is_shown_without_waiting(flowthings_platform: API) -> None:
    class Late:
        """Stands for a thunk that must not be waited for."""

        def unwrap(self) -> str:
            raise AssertionError("waited")

        def __repr__(self) -> str:
            return "<late>"

    assert repr(flowthings_platform.drop(Late())) == "<DropService /drop/<late> of acme at embedded.invalid>"
