"""Drivers by name: the built-in ones come in by the same door as anyone's.

A package offers a driver as an entry point in the group `tinycloud.drivers`: a
subclass of `Driver`, or a function that returns a driver.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from ..driver import Driver
from ..errors import InvalidInput, TinycloudError

GROUP = "tinycloud.drivers"

Maker = Callable[..., object]
"""What an entry point names: called with the options, it returns a driver."""


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
    maker = _load(found[name])
    _check_options(name, maker, options)
    return _made(found[name], maker, options)


def _load(point: EntryPoint) -> Maker:
    try:
        maker: Maker = point.load()
        inspect.signature(maker)
    except Exception as error:  # anybody's code
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    return maker


def _check_options(name: str, maker: Maker, options: Mapping[str, object]) -> None:
    signature = inspect.signature(maker)
    try:
        signature.bind(**options)
    except TypeError as error:
        unknown = sorted(set(options) - set(signature.parameters))
        verb, odd = ("takes no", unknown[0]) if unknown else ("needs", _needed(signature, options))
        raise InvalidInput(
            f"driver '{name}' {verb} {odd!r}",
            cause=f"it takes: {', '.join(signature.parameters) or 'no options'}",
            fix=f"{'leave it out' if unknown else 'give it'}, or name another driver",
        ) from error


def _needed(signature: inspect.Signature, options: Mapping[str, object]) -> str:
    needed = (p.name for p in signature.parameters.values() if p.default is p.empty)
    return next((name for name in needed if name not in options), "something else")


def _made(point: EntryPoint, maker: Maker, options: Mapping[str, object]) -> Driver:
    try:
        driver = maker(**options)
    except TinycloudError:
        raise
    except Exception as error:  # anybody's code
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(driver, Driver):
        raise _unusable(point, f"{point.value} makes a {type(driver).__name__}, not a Driver")
    driver.name = point.name
    return driver


def _unusable(point: EntryPoint, cause: str) -> InvalidInput:
    return InvalidInput(
        f"driver '{point.name}' can't be loaded",
        cause=cause,
        fix="mend or remove the package that brings it",
    )
