"""Every Python snippet of the pages at the root and in docs/ runs, top to bottom, as a reader would paste it.

A file's snippets are one script, run in an interpreter of its own (unpatched, so on plain threads) in an
empty folder. Where a snippet says what it prints (`print(x)  # -> 42`), the output is held against it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PROMISE = re.compile(r"^\s*print\(.*\)  # -> (.*)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run_and_print_what_they_say(page: Path, tmp_path: Path) -> None:
    script = "\n".join(SNIPPET.findall(page.read_text(encoding="utf-8")))
    if not script:
        assert "```python" not in page.read_text(encoding="utf-8")
        return
    (tmp_path / "snippets.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "snippets.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    promised = [line.strip() for line in PROMISE.findall(script)]
    printed = done.stdout.splitlines()
    missing = [line for line in promised if line not in printed]
    assert not missing, f"promised but not printed: {missing}\nprinted: {printed}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
