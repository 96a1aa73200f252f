"""Check that imports point down the floors of the package, and that there is no circle.

    python -m tools.imports            print what is wrong, and fail
    python -m tools.imports --draw     print the floors and the imports between them, as a Mermaid diagram

Imports under TYPE_CHECKING and inside functions count: whenever the import is made, neither module can be
understood without the other.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "flowthings_like"

# From the ground up. A module belongs to the longest name that it begins with. It may import its own group
# and what stands below, but nothing beside it on its floor.
FLOORS = (
    ("about", "errors"),
    ("telemetry",),
    ("wire",),
    ("wire.http", "wire.things", "wire.grpc", "wire.btrdb", "wire.tstorage"),
    ("filters",),
    ("green.future", "green.findings"),
    ("green.wrong_thread",),
    ("green.backends",),
    ("files", "green.batching"),
    ("green.calls",),
    ("green", "credentials"),
    ("transport.outgoing_values",),
    ("changes",),
    ("transport",),
    ("transport.websocket",),
    ("transport.http", "transport.things", "transport.database", "transport.grpc", "transport.records"),
    ("diagnostics", "defaults"),
    ("services.in_parallel", "services.needed_packages"),
    ("services.rest", "services.things", "services.database", "services.streams", "services.records"),
    ("services", "things", "streams", "records"),
    ("platform.problems", "platform.ids", "platform.json_schema", "platform.requirements"),
    ("platform.certificates",),
    ("platform.permits", "platform.outage"),
    ("platform.leader",),
    ("platform.bus",),
    ("platform.store",),
    ("platform.sockets", "platform.duckdb", "platform.scripts"),
    ("platform.resources.access", "platform.resources.query", "platform.resources.statistics.counters"),
    ("platform.resources.drops",),
    ("platform.resources.aggregates", "platform.resources.base"),
    ("platform.resources.statistics",),
    ("platform.resources",),
    ("platform.grpc",),
    ("platform.rest", "platform.things", "platform.streams", "platform.records"),
    ("platform.live", "platform.tasks"),
    ("platform.monitoring", "platform.backup"),
    ("platform",),
    ("families",),
    ("api",),
    ("",),  # flowthings_like itself: the public names
    ("integrations",),
    ("testing", "jobs"),
    ("cli",),
    ("__main__",),
)
# The platform is a second program on the same ground: it shares this with the client, and nothing else.
PLATFORM_SHARES = (
    "about",
    "errors",
    "wire",
    "filters",
    "files",
    "green.future",
    "green.backends",
    "platform",
)
# wire/ turns bytes into messages. It waits for nothing and knows no clock.
NOT_IN_WIRE = {"asyncio", "select", "selectors", "socket", "socketserver", "ssl", "threading", "time"}

FLOOR_OF = {group: number for number, floor in enumerate(FLOORS) for group in floor}


def modules() -> dict[str, Path]:
    """The package's modules by name, without its own: `green.calls.thunk`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[int, str, bool]]:
    """The line, the name and whether it is one of the package's modules, for all that a module imports."""
    package = ("flowthings_like", *name.split(".")) if name else ("flowthings_like",)
    if path.stem != "__init__":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*up, *([node.module] if node.module else [])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            head, _, rest = target.partition(".")
            if head != "flowthings_like":
                yield node.lineno, head, False
            else:
                yield node.lineno, rest if rest in known else rest.rpartition(".")[0], True


def group_of(name: str) -> str:
    """The group that a module belongs to."""
    while name not in FLOOR_OF:
        name = name.rpartition(".")[0]
    return name


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, directly or through others, as lists."""
    reached = {name: _reachable(name, edges) for name in edges}
    found = {
        tuple(sorted({name, *(other for other in reached[name] if name in reached[other])}))
        for name in edges
        if name in reached[name]
    }
    return sorted(list(circle) for circle in found)


def _reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in edges.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


def check() -> tuple[list[str], dict[str, set[str]]]:
    """What is wrong, and which module imports which."""
    known = modules()
    edges: dict[str, set[str]] = {name: set() for name in known}
    wrong = []
    for name, path in known.items():
        mine = group_of(name)
        for line, target, ours in sorted(set(imports(name, path, known))):
            where = f"flowthings_like/{path.relative_to(PACKAGE)}:{line}"
            if not ours:
                if name.startswith("wire") and target in NOT_IN_WIRE:
                    wrong.append(f"{where}: wire/ does no I/O and knows no clock, but imports {target}")
                continue
            if target == name:
                continue
            edges[name].add(target)
            theirs = group_of(target)
            if mine != theirs and FLOOR_OF[theirs] >= FLOOR_OF[mine]:
                side = "beside" if FLOOR_OF[theirs] == FLOOR_OF[mine] else "above"
                wrong.append(f"{where}: imports {target}, which stands {side} {mine or 'the package'}")
            elif mine.startswith("platform") and not _is_in(theirs, PLATFORM_SHARES):
                wrong.append(f"{where}: the platform imports {target}, which is the client's")
    wrong += [f"a circle of imports: {', '.join(circle)}" for circle in circles(edges)]
    return wrong, edges


def _is_in(group: str, groups: tuple[str, ...]) -> bool:
    return any(group == allowed or group.startswith(f"{allowed}.") for allowed in groups)


def draw(edges: dict[str, set[str]]) -> str:
    """The groups and the imports between them, as a Mermaid diagram."""
    between = {
        (group_of(name), group_of(target))
        for name, targets in edges.items()
        for target in targets
        if group_of(name) != group_of(target)
    }
    lines = [f"    {_node(mine)} --> {_node(theirs)}" for mine, theirs in sorted(between)]
    return "\n".join(["graph TD", *lines])


def _node(group: str) -> str:
    label = group.replace(".", "/") or "flowthings_like"
    return f'{group.replace(".", "_") or "top"}["{label}"]'


def main(arguments: list[str]) -> int:
    """Draw, or check."""
    wrong, edges = check()
    if arguments == ["--draw"]:
        print(draw(edges))
        return 0
    print("\n".join(wrong) or f"{len(edges)} modules: every import points down, and there is no circle")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
