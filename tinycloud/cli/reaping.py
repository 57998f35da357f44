"""Find clusters that nobody here remembers, show them, and remove them if that is wanted."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ..cloud.strays import forgotten, known_generations, look, remove
from ..driver import Driver, Stray
from ..drivers import make
from ..errors import InvalidInput
from . import exits, interrupt, json_text, lifetime, table
from .say import answer, note, tinycloud_error

DEFAULT = "aws"

DriverName = Annotated[
    str, typer.Option("--driver", help="Where to look.", metavar="DRIVER", show_default=True)
]
AllRegions = Annotated[bool, typer.Option("--all-regions", help="Look in every region.")]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", help="Only what is older: 90m, 8h or 2d.", metavar="TIME"),
]
Yes = Annotated[bool, typer.Option("--yes", help="Remove without asking.")]

Found = list[tuple[Driver, Stray]]


def drivers(name: str, region: str | None, *, everywhere: bool) -> tuple[Driver, ...]:
    """Return a driver for each region to look in."""
    if region is not None and everywhere:
        raise InvalidInput("one region or all of them", fix="give --region or --all-regions")
    first = make(name, {} if region is None else {"region": region})
    if not everywhere:
        return (first,)

    async def regions() -> tuple[str, ...]:
        async with first:
            return await first.regions()

    return tuple(make(name, {"region": one}) for one in interrupt.run(regions())) or (first,)


def found(where: Sequence[Driver], older_than: str | None) -> Found:
    """Return what no record here knows of, with the driver that can remove it."""
    seconds = None if older_than is None else lifetime.seconds(older_than)
    if older_than is not None and seconds is None:
        raise InvalidInput("nothing is older than 'none'", fix="give --older-than a time, as in 2d")
    known = known_generations()
    every = interrupt.run(look(where))
    return [
        (driver, stray)
        for driver, strays in zip(where, every, strict=True)
        for stray in forgotten(strays, known, seconds)
    ]


def reap(where: Sequence[Driver], older_than: str | None, *, yes: bool, as_json: bool) -> int:
    """Show what is found, remove it if that is wanted, and return the exit code."""
    pairs = found(where, older_than)
    _show([stray for _, stray in pairs], as_json=as_json)
    if not pairs or not (yes or _confirmed(len(pairs), as_json=as_json)):
        return exits.OK
    errors = [error for error in interrupt.run(remove(pairs)) if error is not None]
    for error in errors:
        tinycloud_error(error)
    note(f"removed: {len(pairs) - len(errors)} of {len(pairs)}")
    return exits.RESOURCES_REMAIN if errors else exits.OK


def _confirmed(count: int, *, as_json: bool) -> bool:
    """Ask on a terminal; elsewhere say what would remove them."""
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        note("nothing is removed: --yes does that")
        return False
    what = "this" if count == 1 else f"all {count}"
    return typer.confirm(f"remove {what}, with the disks?", err=True)


def _show(strays: Sequence[Stray], *, as_json: bool) -> None:
    if as_json:
        answer(json_text.dump([json_text.of_stray(stray) for stray in strays]))
    elif strays:
        table.strays(strays)
    else:
        note("nothing is found that no record here knows")
