"""How long nodes live, in the words of the command line."""

import re
from datetime import datetime
from typing import Annotated

import typer

from ..cloud import Cloud
from ..cloud.lifetime import deadline
from ..errors import InvalidInput
from ..result import Results
from . import exits
from .say import counted, error, note

DEFAULTS = {"aws": 8 * 3600.0}
"""Seconds that nodes live where nothing is said, for drivers whose machines cost money."""

NONE = "none"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")

Ttl = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        help="How long new nodes live: 90m, 8h, 2d or none; with aws 8h by default.",
        metavar="TIME",
    ),
]
NewTtl = Annotated[
    str,
    typer.Argument(help="How long they live from now: 90m, 4h, 2d or none.", metavar="TIME"),
]


def seconds(text: str) -> float | None:
    """Return a time to live in seconds, None for `none`; raise `InvalidInput` for other words."""
    if text == NONE:
        return None
    found = _FORM.fullmatch(text)
    if found is None or float(found[1]) == 0:
        raise InvalidInput(
            f"not a time to live: {text[:40]!r}",
            fix="give a number and a unit: 90m, 8h or 2d; or, for no end, the word none",
        )
    return float(found[1]) * _UNITS[found[2]]


def chosen(given: str | None, driver: str) -> float | None:
    """Return how long new nodes live: as asked for, or as is good for the driver."""
    return DEFAULTS.get(driver) if given is None else seconds(given)


def words(ttl: float) -> str:
    """Return a time to live in words: `8 h`, `1 d 12 h`, `90 s`."""
    left, found = round(ttl), []
    for unit, size in reversed(_UNITS.items()):
        count, left = divmod(left, size)
        found += [f"{count} {unit}"] if count else []
    return " ".join(found[:2]) or "0 s"


def moment(when: datetime) -> str:
    """Return when a life ends, in this machine's time zone."""
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def say_end(cloud: Cloud) -> None:
    """Say how long the nodes live that a launch will make."""
    ttl = cloud.groups[0].ttl
    if ttl is None:
        if cloud.groups[0].driver.name in DEFAULTS:
            note("time to live: none, so the nodes cost money until they are destroyed")
        return
    end = deadline(ttl)
    if end is not None:
        moved = f"'tinycloud extend {cloud.name} TIME' moves that"
        note(f"time to live: {words(ttl)}, until {moment(end)} ({moved})")


def say_extended(cloud: Cloud, results: Results, ttl: float | None) -> int:
    """Say until when the nodes live now, and which could not be told; return the exit code."""
    done = [result.node for result in results if result.ok]
    end = deadline(ttl)
    until = "without an end" if end is None else f"until {moment(end)}"
    if done:
        live = "lives" if len(done) == 1 else "live"
        note(f"{counted(len(done))} of '{cloud.name}' {live} {until}")
    for result in results.failed:
        kept = result.node.expires_at
        what = f"{result.node.name} still ends at {moment(kept)}" if kept else result.node.name
        error(what, result.error or "", f"tinycloud extend {cloud.name} again")
    return exits.of_states(result.state for result in results)
