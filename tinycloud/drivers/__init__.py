"""Drivers by name: the built-in ones come in by the same door as anyone's.

A package offers a driver as an entry point in the group `tinycloud.drivers`.
"""

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from ..driver import Driver
from ..errors import InvalidInput

GROUP = "tinycloud.drivers"


def installed() -> tuple[str, ...]:
    """Return the names of all drivers that are installed, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def make(name: str, options: Mapping[str, object]) -> Driver:
    """Return a new driver of this name, made with these options.

    Raises `InvalidInput` for a driver that is not installed or can't be loaded, and
    for options that it does not take.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise InvalidInput(
            f"no driver named {name[:80]!r}",
            cause=f"installed: {', '.join(sorted(found)) or 'none'}",
            fix="take one of those, or install the package that brings it",
        )
    kind = _load(found[name])
    _check_options(name, kind, options)
    driver = kind(**options)
    driver.name = name
    return driver


def _load(point: EntryPoint) -> type[Driver]:
    try:
        kind: type[Driver] = point.load()
    except Exception as error:  # anybody's code
        raise InvalidInput(
            f"driver '{point.name}' can't be loaded",
            cause=f"{point.value}: {type(error).__name__}: {error}",
            fix="mend or remove the package that brings it",
        ) from error
    return kind


def _check_options(name: str, kind: type[Driver], options: Mapping[str, object]) -> None:
    taken = inspect.signature(kind).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    unknown = sorted(set(options) - set(taken))
    if unknown:
        raise InvalidInput(
            f"driver '{name}' takes no {unknown[0]!r}",
            cause=f"it takes: {', '.join(taken) or 'no options'}",
            fix="leave it out, or name another driver",
        )
