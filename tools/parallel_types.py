"""Write what follows from the modules in flowthings_like/services/rest/: their registry, and their types.

    python -m tools.parallel_types            write the files
    python -m tools.parallel_types --check    fail if they are not up to date
    python -m tools.parallel_types --package FOLDER    the same for a copy of the package

A module there adds a resource: a service class that sets `name` becomes an attribute of every API.
registry.py lists these classes, for the API and for type checkers.

Each verb is declared once, in its service, with what it returns: `def read(self, id: Id) -> R`. Through
`lazy()` the same call returns a GreenThunk of that, through `async_()` a thread to `get()` it from.
parallel.pyi has the declarations with the one or the other around each result.

Run this when a service or a signature has been added or changed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "flowthings_like"
REGISTRY, TYPES = "registry.py", "parallel.pyi"
ROOTS = {"BaseService"}  # a class that comes from one of these is a service

TYPES_HEADER = '''"""The services as `lazy()` and `async_()` show them.

Written by `python -m tools.parallel_types`; not to be edited.
"""
'''
RUNNING = '''
class RunningCall(Protocol[T_co]):
    """A call under `async_()`: gevent's Greenlet, eventlet's GreenThread or a ThreadCall."""

    def get(self, timeout: float | None = None) -> T_co: ...
    def wait(self) -> T_co: ...
    def __hash__(self) -> int: ...
'''
REGISTRY_HEADER = '''"""The services that every API has.

Written by `python -m tools.parallel_types` from the modules in this folder; not to be edited.
"""

from __future__ import annotations
'''


@dataclass
class Sources:
    """All that the service modules declare."""

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Sources:
        """What is in services/rest/."""
        found = cls()
        for path in sorted(folder.glob("*.py")):
            if path.name not in ("__init__.py", REGISTRY):
                found._read(path)
        return found

    def _read(self, path: Path) -> None:
        module = path.stem
        for node in _flat(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                for name in node.names:
                    self.imports.setdefault(name.asname or name.name, (node.level, node.module or ""))
            elif isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
                self.imports[node.name] = (1, module)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.imports.setdefault(node.target.id, (1, module))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.imports.setdefault(node.targets[0].id, (1, module))

    def comes_from(self, name: str, roots: set[str]) -> bool:
        """Whether that class is one of the roots or derived from one."""
        return name in roots or (
            name in self.classes
            and any(self.comes_from(_name(base), roots) for base in self.classes[name].bases)
        )

    @property
    def services(self) -> list[str]:
        """The classes that are services."""
        return [name for name in self.classes if self.comes_from(name, ROOTS)]

    @property
    def resources(self) -> list[str]:
        """The classes that say what a service returns."""
        return [name for name in self.classes if self.comes_from(name, {"TypedDict"})]

    def attributes(self) -> dict[str, str]:
        """The attributes of an API that are services, in alphabetical order, each with its class."""
        found: dict[str, str] = {}
        for service in self.services:
            name = self._attribute(self.classes[service])
            if name in found:
                raise SystemExit(f"{service} and {found[name]} both have the name {name!r}")
            if name:
                found[name] = service
        return dict(sorted(found.items()))

    def _attribute(self, service: ast.ClassDef) -> str:
        """The `name` that a class sets itself; "" if it sets none."""
        for node in service.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "name":
                return str(ast.literal_eval(node.value))
        return ""

    def members(self, name: str) -> dict[str, str]:
        """The members of a TypedDict, inherited ones first, with their types."""
        if name not in self.classes:
            return {}
        found: dict[str, str] = {}
        for base in self.classes[name].bases:
            found.update(self.members(_name(base)))
        for node in self.classes[name].body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = ast.unparse(node.annotation)
        return found


def _flat(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements, those under `if TYPE_CHECKING:` among them, without those hidden from type checkers."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found += _flat(node.body)
        elif not isinstance(node, ast.If):
            found.append(node)
    return found


def _name(node: ast.expr) -> str:
    """`Findable` of `Findable[Flow]`."""
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)


class Mode:
    """How one of the two shows a service."""

    def __init__(self, sources: Sources, prefix: str) -> None:
        self.sources = sources
        self.prefix = prefix

    def result(self, annotation: str) -> str:
        """What a call returns here that returns `annotation` in a service."""
        if self.prefix == "Async":
            return f"RunningCall[{annotation}]"
        if annotation == "R":
            return "One"
        if self.sources.comes_from(annotation, {"TypedDict"}):
            return f"{annotation}Thunk"
        return f"GreenThunk[{annotation}]"

    def base(self, node: ast.expr) -> str:
        """A base class, as it is called here."""
        name = _name(node)
        if name == "Generic":
            return "Generic[R, One]" if self.prefix == "Lazy" else "Generic[R]"
        if not isinstance(node, ast.Subscript):
            return f"{self.prefix}{name}"
        of = ast.unparse(node.slice)
        more = "" if self.prefix == "Async" else f", {'One' if of == 'R' else f'{of}Thunk'}"
        return f"{self.prefix}{name}[{of}{more}]"

    def service(self, node: ast.ClassDef) -> str:
        """A service's class."""
        kept = [
            base for base in node.bases if _name(base) in self.sources.classes or _name(base) == "Generic"
        ]
        bases = ", ".join(self.base(base) for base in kept)
        lines = [f"class {self.prefix}{node.name}({bases}):" if bases else f"class {self.prefix}{node.name}:"]
        lines += [f"    {line}" for part in self.body(node) for line in part.splitlines()]
        return "\n".join(lines if len(lines) > 1 else [*lines, "    pass"])

    def body(self, node: ast.ClassDef) -> list[str]:
        parts: list[str] = []
        overloaded = {
            part.name
            for part in node.body
            if isinstance(part, ast.FunctionDef) and "overload" in _marks(part)
        }
        for part in _flat(node.body):
            if isinstance(part, ast.FunctionDef):
                marks = _marks(part)
                if (part.name in overloaded and "overload" not in marks) or _is_private(part.name):
                    continue
                parts.append(self.method(part, marks))
            elif isinstance(part, ast.Assign) and isinstance(part.value, ast.Name):
                parts.append(ast.unparse(part))
            elif (copied := _copied(part, node)) is not None:
                parts.append(self.method(copied, []))
                parts += [f"{name} = {copied.name}" for name in _targets(part)[1:]]
        return parts

    def method(self, node: ast.FunctionDef, marks: list[str]) -> str:
        returns = ast.unparse(node.returns) if node.returns else "Any"
        if node.name == "__call__":
            returns = f"{self.prefix}{returns}" if self.sources.comes_from(returns, ROOTS) else returns
        elif not {"plain", "property"} & set(marks) and not any(mark.endswith(".setter") for mark in marks):
            returns = self.result(returns)
        kept = [mark for mark in marks if mark in ("overload", "property") or mark.endswith(".setter")]
        head = "".join(f"@{mark}\n" for mark in kept)
        return f"{head}def {node.name}({ast.unparse(node.args)}) -> {returns}: ..."


def _targets(node: ast.stmt) -> list[str]:
    """The names that a statement assigns to."""
    return [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []


def _copied(node: ast.stmt, service: ast.ClassDef) -> ast.FunctionDef | None:
    """The method that `a = b = maker(_method, …)` makes: `_method` without its positional-only arguments."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or not node.value.args:
        return None
    like = ast.unparse(node.value.args[0])
    for method in service.body:
        if isinstance(method, ast.FunctionDef) and method.name == like:
            copied = copy.deepcopy(method)
            copied.name = _targets(node)[0]
            copied.args.args[:0] = copied.args.posonlyargs[:1]
            copied.args.posonlyargs = []
            return copied
    return None


def _marks(node: ast.FunctionDef) -> list[str]:
    return [ast.unparse(mark.func if isinstance(mark, ast.Call) else mark) for mark in node.decorator_list]


def _is_private(name: str) -> bool:
    return name.startswith("_") and name != "__call__"


def _thunk(sources: Sources, name: str) -> str:
    """A GreenThunk of a resource, whose members are asked for by name."""
    by_type: dict[str, list[str]] = {}
    for member, kind in sources.members(name).items():
        by_type.setdefault(kind, []).append(f'"{member}"')
    lines = [f"class {name}Thunk(GreenThunk[{name}]):"]
    keys = {kind: f"key: Literal[{', '.join(members)}]" for kind, members in by_type.items()}
    lines += _overloads([f"def __getitem__(self, {key}) -> {kind}: ..." for kind, key in keys.items()])
    lines += _overloads(
        f"def get(self, {key}{default}) -> {kind} | {other}: ..."
        for kind, key in keys.items()
        for default, other in (("", "None"), (", default: D", "D"))
    )
    return "\n".join(lines)


def _overloads(signatures: Iterable[str]) -> Iterator[str]:
    """The forms of one method, which a resource declares more narrowly than the thunk of any dict."""
    for count, signature in enumerate(signatures):
        yield "    @overload" if count else "    @overload  # type: ignore[override]"
        yield f"    {signature}"


def _of_the_api(sources: Sources, prefix: str, base: str, request: str) -> str:
    """`lazy()` and `async_()` themselves, with the services that an API has."""
    lines = [f"class {prefix}Services({base}):", "    creds: Any", "    things: Any"]
    services = {"root": "BaseService", **sources.attributes()}
    lines += [f"    {name}: {prefix}{service}" for name, service in services.items()]
    return "\n".join([*lines, *(f"    {line}" for line in request.splitlines())])


def types(sources: Sources) -> str:
    """The text of parallel.pyi, before it is formatted."""
    parts = [
        _thunk(sources, name) for name in sources.resources if len(set(sources.members(name).values())) > 1
    ]
    base = sources.classes["BaseService"]
    (request,) = [n for n in base.body if isinstance(n, ast.FunctionDef) and n.name == "request"]
    for prefix, of in (("Lazy", "LazyAPI"), ("Async", "AsyncAPI")):
        mode = Mode(sources, prefix)
        parts += [mode.service(sources.classes[name]) for name in sources.services]
        parts.append(_of_the_api(sources, prefix, of, mode.method(request, [])))
    text = "\n\n".join(parts)
    return f"{TYPES_HEADER}\n{_imports(sources, text)}\n{RUNNING}\n\n{text}\n"


def registry(sources: Sources) -> str:
    """The text of registry.py, before it is formatted."""
    public = sorted(name for name in (*sources.services, *sources.resources) if not name.startswith("_"))
    attributes = sources.attributes()
    return "\n".join(
        [
            REGISTRY_HEADER,
            *(f"from .{sources.imports[name][1]} import {name}" for name in public),
            f"__all__ = {public!r}",
            "class Services:",
            '    """The services of an API, each an attribute: `api.flow` is a FlowService."""',
            "",
            *(f"    {name}: {service}" for name, service in attributes.items()),
            "SERVICES: dict[str, type[BaseService]] = {",
            *(f'    "{name}": {service},' for name, service in attributes.items()),
            "}",
            '"""The class of each of them, by its name."""',
        ]
    )


def _imports(sources: Sources, text: str) -> str:
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    known = {
        **sources.imports,
        **dict.fromkeys(("Any", "Generic", "Literal", "Protocol", "overload"), (0, "typing")),
        "AsyncAPI": (3, "green.calls.async_"),
        "GreenThunk": (3, "green.calls.thunk"),
        "LazyAPI": (3, "green.calls.lazy"),
    }
    del known["R"], known["D"], known["TypeVar"]
    lines = [
        f"from {'.' * known[name][0]}{known[name][1]} import {name}"
        for name in sorted(used | {"Protocol"})
        if name in known
    ]
    variables = (
        'R = TypeVar("R", default=Any)\nD = TypeVar("D")\nT_co = TypeVar("T_co", covariant=True)\n'
        'One = TypeVar("One", default=GreenThunk[Any])\n'
    )
    return "\n".join([*lines, "from typing_extensions import TypeVar", "", variables])


def formatted(text: str, path: Path) -> str:
    """The text as ruff leaves it."""
    ruff, name = [sys.executable, "-m", "ruff"], ["--stdin-filename", str(path)]
    for command in (["check", "--select", "I,RUF022", "--fix", "--quiet"], ["format"]):
        done = subprocess.run(
            [*ruff, *command, *name, "-"], input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text


def main(arguments: list[str]) -> int:
    """Write the files, or say whether they are as they would be written."""
    parser = argparse.ArgumentParser(prog="python -m tools.parallel_types")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--package", type=Path, default=PACKAGE)
    asked = parser.parse_args(arguments)
    folder = asked.package / "services" / "rest"
    sources = Sources.of(folder)
    stale = []
    for name, text in ((REGISTRY, registry(sources)), (TYPES, types(sources))):
        path = folder / name
        text = formatted(text, path)
        if not asked.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"out of date: {', '.join(stale)}; run: {parser.prog}", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
