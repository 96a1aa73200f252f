"""Build the distributions, install them as users would, and use what was installed.

    python -m tools.packages               the wheel, once with each extra, and once with the lowest versions
    python -m tools.packages --lowest      the last of these alone

Each installation is an environment of its own with nothing else in it, so that a dependency which is used and
not declared is missed. Two are made at a time. `uv` installs where it is found on the path, else pip does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from email.parser import Parser
from pathlib import Path

from . import smoke

ROOT = Path(__file__).parents[1]
UNINTERESTING = shutil.ignore_patterns(
    *(
        ".git",
        ".venv*",
        "build",
        "dist",
        "*.egg-info",
        "__pycache__",
        ".*_cache",
        ".hypothesis",
        "weather-data",
    )
)
KEPT = ("docs", "tests", "examples", "benchmarks", "tools", ".ci")  # whole, in the source distribution


class Broken(Exception):
    """What was built, or installed, does not work; the text says how."""


def main(arguments: Sequence[str]) -> int:
    """Check the packages. Returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        try:
            sdist, wheel = build(place)
            check_sdist(sdist)
            metadata = metadata_of(wheel)
            check_metadata(metadata)
            everything = ",".join(smoke.EXTRAS)
            floors = lowest(metadata, list(smoke.EXTRAS))
            ways = [("lowest", everything, floors)]
            if list(arguments) != ["--lowest"]:
                ways += [(extra or "no extra", extra, []) for extra in ("", *smoke.EXTRAS)]
            with ThreadPoolExecutor(2) as pool:
                for said in pool.map(lambda way: check_installed(place, wheel, *way), ways):
                    print(said, flush=True)
        except Broken as error:
            print(f"packages: {error}", file=sys.stderr)
            return 1
    return 0


def build(place: Path) -> tuple[Path, Path]:
    """The source distribution, and the wheel that is built from it."""
    copy = place / "source"
    # A copy: building writes beside the sources, which tests may be reading.
    shutil.copytree(ROOT, copy, ignore=UNINTERESTING)
    run([sys.executable, "-m", "build", "--outdir", str(place / "dist"), str(copy)])
    (sdist,) = (place / "dist").glob("*.tar.gz")
    (wheel,) = (place / "dist").glob("*.whl")
    return sdist, wheel


def check_sdist(sdist: Path) -> None:
    """Everything that is needed to test and to read is in it."""
    with tarfile.open(sdist) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    wanted = {
        str(path.relative_to(ROOT))
        for folder in KEPT
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    missing = sorted({*wanted, "README.md", "LICENSE", "Makefile", "pyproject.toml"} - held)
    if missing:
        raise Broken(f"the source distribution lacks {len(missing)} files, {missing[:5]} among them")


def metadata_of(wheel: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def check_metadata(metadata: Message) -> None:
    """An index shows who made it, where it comes from, and a description whose links lead somewhere."""
    for name in ("Author", "Summary", "Keywords", "License", "Requires-Python"):
        if not metadata[name] and not metadata[f"{name}-Expression"]:
            raise Broken(f"the metadata has no {name}")
    if len(metadata.get_all("Project-URL", [])) < 3:
        raise Broken("the metadata has too few addresses")
    description = str(metadata.get_payload())
    relative = re.findall(r"\]\((?!https?:|#)[^)]*\)", description)
    if relative or "](https://" not in description:
        raise Broken(f"links of the description lead nowhere outside of a checkout: {relative}")
    if re.search(r"^!\[[^]]*]\(https://", description, re.MULTILINE) is None:
        raise Broken("the description shows no picture")


def lowest(metadata: Message, extras: Sequence[str]) -> list[str]:
    """`name==version` with the lowest version allowed, for every requirement of these extras and of none."""
    pins = {}
    for requirement in metadata.get_all("Requires-Dist", []):
        wanted, _, marker = requirement.partition(";")
        extra = re.search(r'extra == "([^"]+)"', marker)
        if extra and extra[1] not in extras:
            continue
        found = re.match(r"([\w.-]+)(?:\[[^]]*\])?.*?>=\s*([\w.]+)", wanted)
        if found is None:
            raise Broken(f"{wanted.strip()} names no lowest version")
        pins[found[1]] = found[2]
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def check_installed(place: Path, wheel: Path, name: str, extras: str, pins: list[str]) -> str:
    """Install the wheel with these extras and use it."""
    home = place / name.replace(" ", "-")
    run([sys.executable, "-m", "venv", "--without-pip", str(home)])
    python = str(home / "bin" / "python")
    uv = shutil.which("uv")
    install = [uv, "pip"] if uv and _runs(uv) else [sys.executable, "-m", "pip", "--python", python]
    command = [*install, "install", "--quiet", f"{wheel}[{extras}]" if extras else str(wheel)]
    if uv and install[0] == uv:
        command += ["--python", python]
    if pins:
        limits = home / "lowest.txt"
        limits.write_text("\n".join(pins), encoding="utf-8")
        command += ["--constraint", str(limits), "--only-binary", ":all:"]
    run(command, what=f"{name}: not installable")
    work = home / "work"
    work.mkdir()
    shutil.copy(smoke.__file__, work / "smoke.py")
    run(
        [python, "smoke.py", *(extras.split(",") if extras else ["none"])],
        cwd=work,
        what=f"{name}: does not work",
    )
    return f"installed and used: {name}" + (f" ({', '.join(pins)})" if pins else "")


def _runs(tool: str) -> bool:
    """Whether that is really there: a version manager may put up a name for what it has not installed."""
    return subprocess.run([tool, "--version"], capture_output=True, check=False).returncode == 0


def run(command: list[str], *, cwd: Path | None = None, what: str = "failed") -> str:
    """Run a command; its output.

    Raises:
        Broken: it failed.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise Broken(f"{what}: {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
