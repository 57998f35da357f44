"""The public surface, and the rooms: who may import whom."""

import ast
import graphlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinycloud

PACKAGE = Path(tinycloud.__file__).parent
FILES = {
    ".".join(("tinycloud", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# Each room imports only from those above it, or on its own line.
ROOMS = (
    ("errors", "node", "text"),
    ("group", "result", "host", "nodeset"),
    ("fanout",),
    ("driver", "pernode"),
    ("store",),
    ("ssh",),
    ("cloud",),
    ("drivers",),
    ("public",),
    ("cli", "testing"),
    ("__main__", ""),
)
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

OUTSIDE = {
    "tinycloud.store": {"platformdirs", "cryptography"},
    "tinycloud.ssh": {"asyncssh"},
    "tinycloud.drivers.local": {"psutil"},
    "tinycloud.drivers.aws": {"aiobotocore", "botocore"},
    "tinycloud.cli": {"typer", "rich"},
}
"""The libraries that are not Python's own, by the only room that imports them."""


def imports(name: str) -> Iterator[str]:
    """Yield what a module imports, anywhere in it, as full names of modules."""
    package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    for statement in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - statement.level + 1]
            base = ".".join((*parts, statement.module or "") if statement.level else ())
            base = base.rstrip(".") if statement.level else str(statement.module)
            for alias in statement.names:
                full = f"{base}.{alias.name}"
                yield full if full in FILES else base


def room(module: str) -> str:
    """Return the room of a module of ours: the first part of its name within the package."""
    return module.split(".")[1] if "." in module else ""


def test_all_is_complete_sorted_and_importable() -> None:
    """`__all__` names every public thing of the package, each once, in order."""
    found = {
        name
        for name, thing in vars(importlib.import_module("tinycloud.public")).items()
        if not name.startswith("_") and not isinstance(thing, type(sys))
    }
    assert sorted(found) == tinycloud.__all__
    assert all(getattr(tinycloud, name) is not None for name in tinycloud.__all__)
    assert set(tinycloud.__all__) <= set(dir(tinycloud))
    with pytest.raises(AttributeError, match="'tinycloud' has no attribute 'Cluster'"):
        tinycloud.Cluster  # type: ignore[attr-defined]  # noqa: B018


def test_what_the_design_promises_is_there() -> None:
    """The names that users are told to import are public, and so are all errors."""
    told = {"Cloud", "Group", "GroupSpec", "Driver", "NodeDriver", "PerNode", "Node", "Status"}
    told |= {"Result", "Results"}
    errors = importlib.import_module("tinycloud.errors")
    raised = [n for n, thing in vars(errors).items() if isinstance(thing, type) and n[0].isupper()]
    assert {*told, *raised} - {"Mapping"} <= set(tinycloud.__all__)


def test_every_module_has_a_room() -> None:
    """A new room must be given its place here."""
    assert {room(module) for module in FILES} <= set(LEVEL)


def test_rooms_import_only_from_rooms_above() -> None:
    """Imports flow one way."""
    wrong = [
        f"{module} imports {imported}"
        for module in FILES
        for imported in imports(module)
        if imported.partition(".")[0] == "tinycloud"
        and room(imported) != room(module)
        and LEVEL[room(imported)] > LEVEL[room(module)]
    ]
    assert wrong == []


def test_no_modules_import_each_other() -> None:
    """The graph of all imports, also those within functions, has no cycle."""
    graph = {module: {i for i in imports(module) if i in FILES and i != module} for module in FILES}
    for module in FILES:  # a package is loaded before what is in it
        if module.count(".") and (parent := module.rpartition(".")[0]) != "tinycloud":
            graph[module].discard(parent)
    assert len(tuple(graphlib.TopologicalSorter(graph).static_order())) == len(FILES)


def test_outside_libraries_stay_in_their_room() -> None:
    """Each library that is not Python's own is imported in one room only."""
    wrong = []
    for module in FILES:
        allowed = {
            library
            for place, libraries in OUTSIDE.items()
            if f"{module}.".startswith(f"{place}.")
            for library in libraries
        }
        for imported in imports(module):
            top = imported.partition(".")[0]
            if top not in {"tinycloud", *sys.stdlib_module_names, *allowed}:
                wrong.append(f"{module} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize(
    ("how", "unused"),
    [
        ("import tinycloud", {"asyncio", "tinycloud.public"}),
        ("from tinycloud import *; Cloud", {"asyncssh", "aiobotocore", "typer"}),
        ("import tinycloud.drivers.local.forker", {"tinycloud.cloud", "aiobotocore", "typer"}),
    ],
)
def test_what_is_not_used_is_not_loaded(how: str, unused: set[str]) -> None:
    """Programs begin quickly: large things come when they are used."""
    code = f"import sys; {how}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unused & set(done.stdout.splitlines())
