"""Every Python snippet of the pages at the root and in docs/ runs, as a reader would paste it.

The snippets of a page are one script, which runs from top to bottom in a new interpreter (unpatched, so on
plain threads) and an empty folder. If a snippet says what it prints (`print(x)  # -> 42`), the output must
have it.
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


def numbers() -> list[tuple[str, str]]:
    """(page, sentence) pairs. The sentences contain numbers of the code, and must be in the page."""
    from flowthings_like import Retry, defaults
    from flowthings_like.filters import geography, index_columns, nodes, operands, patterns, sql_writer
    from flowthings_like.platform.resources import script_reads, task_scripts, tracks
    from flowthings_like.platform.resources.drops import script_outputs, script_runs
    from flowthings_like.platform.scripts import batch, runner, sandbox
    from flowthings_like.platform.scripts.runner import ScriptLimits
    from flowthings_like.platform.tasks import broker_client, broker_sessions, reports, rss_task, service
    from flowthings_like.platform.tasks.fetch import FetchLimits
    from flowthings_like.services.streams import client, constants

    assert isinstance(defaults.timeout, tuple)
    connect, read = defaults.timeout
    fetch = FetchLimits()
    size = f"{defaults.max_response_bytes >> 20} MiB"
    return [
        ("tasks.md", f"| {fetch.seconds:g} s, {fetch.body >> 20} MiB, {fetch.redirects} redirects |"),
        ("tasks.md", f"| {rss_task.MOST_ENTRIES:,} entries, {rss_task.LARGEST_FEED >> 20} MiB |"),
        ("tasks.md", f"| {task_scripts.MOST_DROPS:,} drops |"),
        ("tasks.md", f"| {service.MOST_OF_ACCOUNT} at once | the API and RSS tasks of one"),
        ("tasks.md", f"| {service.MOST_RUNNING} at once | all"),
        ("tasks.md", f"| {broker_sessions.MOST_OF_ACCOUNT}, {broker_sessions.MOST_SESSIONS} | connections"),
        ("tasks.md", f"| {broker_client.LARGEST_MESSAGE >> 20} MiB | a message"),
        ("tasks.md", f"each of the last {reports.REPORTS} runs"),
        ("filters.md", f"a text of more than {nodes.MAX_LENGTH:,} characters"),
        ("filters.md", f"nested more than {nodes.MAX_DEPTH} deep"),
        ("filters.md", f"members of more than {operands.MAX_PARTS} names"),
        ("filters.md", f"patterns of more than {patterns.MAX_PATTERN:,} characters"),
        ("filters.md", f"a radius of {geography.EARTH_RADIUS} km"),
        (
            "filters.md",
            f"filters of more than {sql_writer.MOST_RULES} rules or {sql_writer.MOST_LEVELS} levels",
        ),
        ("indexes.md", f"Strings of more than {index_columns.LONGEST} characters"),
        ("errors.md", f"| `({connect:g}, {read:g})` | Seconds to connect"),
        ("errors.md", f"(by default {size})"),
        ("errors.md", f"up to {Retry().attempts} times"),
        ("errors.md", f"`Retry.within` ({Retry().within:g} seconds)"),
        ("errors.md", "status {}, {}, {} or {}.".format(*Retry().statuses)),
        ("transport.md", f"| {size} |"),
        (
            "tracks.md",
            f"| {sandbox.SECONDS:g} s of processor time, {sandbox.MEMORY >> 20} MB, "
            f"{sandbox.STACK >> 10} KiB of stack |",
        ),
        (
            "tracks.md",
            f"| {script_outputs.MOST_OUTPUTS:,} drops, {sandbox.LARGEST_RESULT >> 10} KiB of JSON, "
            "or twice the drop |",
        ),
        ("tracks.md", f"| {ScriptLimits().total:g} s, {runner.LARGEST_RESULTS >> 20} MiB of JSON |"),
        ("tracks.md", f"| {script_runs.TOTAL:g} s, their waits included | all scripts"),
        ("tracks.md", f"| {tracks.LONGEST_JS >> 10} KiB | `js` itself |"),
        ("tracks.md", f"A script gets {script_reads.MOST_FOUND} drops, flows or tracks at once"),
        ("tracks.md", f"asks at most {batch.MOST_QUESTIONS} times for one drop"),
        ("tracks.md", f"each reading may take {script_reads.SECONDS:g} seconds"),
        ("streams.md", f"A call carries up to {constants.BATCH_SIZE:,} points"),
        ("streams.md", f"{constants.BATCH_SIZE_V4:,} points in a call"),
        ("streams.md", f"It is {constants.DEFAULT_CONCURRENCY_LIMIT}, or the number"),
        ("streams.md", f"`timeout={client.TIMEOUT:g}`"),
        ("compatibility.md", f"{connect:g} s to connect and {read:g} s between two reads"),
        ("compatibility.md", f'the default version is "{defaults.version}"'),
    ]


@pytest.mark.parametrize(("page", "sentence"), numbers())
def test_numbers_in_the_pages_are_those_of_the_code(page: str, sentence: str) -> None:
    assert sentence in " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


def test_the_architecture_names_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/]+\.py\b|(?<=`)[\w/]+/(?=`)", page))
    there = {
        f"/{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}"
        for folder in ("flowthings_like", "tests", "tools")
        for path in (ROOT / folder).rglob("*")
    } | {f"/{folder}/" for folder in ("flowthings_like", "tests", "tools")}
    missing = sorted(name for name in named if not any(path.endswith(f"/{name}") for path in there))
    assert named
    assert not missing
