"""Put files on nodes and get files from them: what was asked for, how it goes, how it went."""

import os
import re
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol, Self

import typer

from ..cloud import Cloud
from ..errors import InvalidInput
from ..nodeset import indices
from ..result import Results, State
from ..ssh.files.progress import Progress
from . import exits, json_text
from .moved import Moved, size
from .reasons import UNREACHED, reasons, unreached
from .say import MANNER, answer, counted, error, note

PUT = "tinycloud put NAME [TAG] [INDEX] LOCAL... REMOTE"
GET = "tinycloud get NAME [TAG] [INDEX] REMOTE LOCAL"

# What helps, for the worst that happened: the first of these that did.
_FIXES = {
    **UNREACHED,
    State.LOST: "run it again: what has arrived is not moved again",
    State.FAILED: "mend that and run it again: what has arrived is not moved again",
}

# What helps where a node says why it failed.
_REMEDIES = (
    ("no space left", "free space there; 'tinycloud execute {0} -e \"df -h\"' shows what is full"),
    ("permission denied", "take a path that the nodes' user has access to"),
    ("read-only file system", "take a path that can be written to"),
    ("no such file or folder", "look for it: tinycloud execute {0} -e ls"),
    ("is a folder there, and a file", "end REMOTE with / to put it into that folder"),
)

EVERY = 10.0
"""Seconds between lines that say how far a transfer is, where there is no terminal."""

_INDEX = re.compile(r"[0-9]+([,-][0-9]+)*")

PutWords = Annotated[
    list[str],
    typer.Argument(
        help="Which nodes; files and folders here; and where they go there.",
        metavar="[TAG] [INDEX] LOCAL... REMOTE",
        show_default=False,
    ),
]
GetWords = Annotated[
    list[str],
    typer.Argument(
        help="Which nodes; a file or folder there; and the folder here that gets theirs.",
        metavar="[TAG] [INDEX] REMOTE LOCAL",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A transfer as it was asked for: `paths` are from where, and last to where."""

    paths: tuple[str, ...]
    tag: str | None = None
    index: Collection[int] | None = None
    keyfile: Path | None = None
    limit: int | None = None
    as_json: bool = False


def request(
    words: Sequence[str],
    cloud: Cloud,
    usage: str,
    *,
    keyfile: Path | None = None,
    limit: int | None = None,
    as_json: bool = False,
) -> Request:
    """Return what these words ask for, or raise `InvalidInput`.

    The first is a TAG if it is the name of a group and two paths follow, and the second
    then an INDEX if it looks like one and two paths follow. `./worker` is always a path.
    """
    tags = [group.tag for group in cloud.groups]
    tag, index, paths = None, None, list(words)
    if len(paths) > 2 and paths[0] in tags:
        tag = paths.pop(0)
        if usage == PUT and os.path.lexists(tag):
            note(f"'{tag}' is taken for the group; ./{tag} is the file of that name")
        if len(paths) > 2 and _INDEX.fullmatch(paths[0]):
            index = indices(paths.pop(0))
    if len(paths) < 2 or (usage == GET and len(paths) > 2):
        raise InvalidInput(
            "can't tell what goes where", cause=_miscounted(paths, tag, tags), fix=usage
        )
    return Request(
        paths=tuple(paths), tag=tag, index=index, keyfile=keyfile, limit=limit, as_json=as_json
    )


def _miscounted(paths: Sequence[str], tag: str | None, tags: Collection[str]) -> str:
    if len(paths) < 2:
        return "two paths are needed"
    first = "" if tag else f", and no group is called '{paths[0][:80]}' (but {', '.join(tags)})"
    return f"{len(paths)} paths{first}"


def say_ending() -> None:
    """Say that Ctrl-C was heard."""
    note("interrupted: removing what has arrived in part (once more leaves at once)")


async def put(cloud: Cloud, request: Request) -> int:
    """Put the files, say how it went, and return the exit code."""
    *local, remote = request.paths
    _check_there(local, cloud)
    with Watch("sent") as watch:
        results = await cloud.put(
            local,
            remote,
            tag=request.tag,
            index=request.index,
            keyfile=request.keyfile,
            limit=request.limit,
            report=watch.report,
        )
    return _conclude(cloud, results, watch.moved, as_json=request.as_json)


async def get(cloud: Cloud, request: Request) -> int:
    """Get the files, say how it went, and return the exit code."""
    remote, local = request.paths
    with Watch("got") as watch:
        results = await cloud.get(
            remote,
            local,
            tag=request.tag,
            index=request.index,
            keyfile=request.keyfile,
            limit=request.limit,
            report=watch.report,
        )
    return _conclude(cloud, results, watch.moved, as_json=request.as_json)


def _check_there(local: Sequence[str], cloud: Cloud) -> None:
    """Raise `InvalidInput` for a path that may have been meant for something else."""
    first = local[0]
    if "/" not in first and not Path(first).exists() and not Path(first).is_symlink():
        tags = ", ".join(group.tag for group in cloud.groups)
        raise InvalidInput(
            f"nothing here is called '{first[:80]}'",
            cause=f"nor is any group: {tags}",
            fix=PUT,
        )


class Face(Protocol):
    """What shows how far a transfer is, whenever it likes."""

    def start(self) -> None: ...

    def show(self) -> None: ...

    def stop(self) -> None: ...


class Watch:
    """Watches a transfer: adds up how far all nodes are, and shows it."""

    def __init__(self, verb: str) -> None:
        self.moved = Moved(verb)
        self._face = _face(self.moved)

    def __enter__(self) -> Self:
        self._face.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._face.stop()

    def report(self, progress: Progress) -> None:
        """Take note of progress; given to `Cloud.put` and `Cloud.get`."""
        if progress.remark is not None:
            note(f"{progress.node}: {progress.remark}" if progress.node else progress.remark)
        if progress.node:
            self.moved.note(progress)
            self._face.show()


class Lines:
    """A plain line from time to time."""

    def __init__(self, moved: Moved) -> None:
        self._moved = moved
        self._last = time.monotonic()

    def start(self) -> None:
        """Show nothing yet."""

    def show(self) -> None:
        """Show how far it is, if it is time to."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            moved = self._moved
            note(f"{moved.verb} {size(moved.bytes)} of {size(moved.of_bytes)}: {moved.nodes()}")

    def stop(self) -> None:
        """Show no more."""


def _face(moved: Moved) -> Face:
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if MANNER.quiet or not terminal:
        return Lines(moved)
    # Loaded here: a transfer that nobody watches need not wait for it.
    from .meter import Meter

    return Meter(moved)


def _conclude(cloud: Cloud, results: Results, moved: Moved, *, as_json: bool) -> int:
    """Say how it went, and return the exit code."""
    if as_json:
        for result in results:
            answer(json_text.dump(json_text.of_result(result)))
    if not results.ok:
        failed = f"{len(results.failed)} of {counted(len(results))} failed"
        error(failed, reasons(results.failed), _fix(results).format(cloud.name))
    counts = ", ".join(f"{count} {state}" for state, count in results.counts.items())
    note(moved.summary())
    note(f"{counted(len(results))}: {counts}")
    return exits.of_states(result.state for result in results)


def _fix(results: Results) -> str:
    worst = next(state for state in _FIXES if state in results.counts)
    if worst is State.FAILED:
        said = " ".join((result.error or "").lower() for result in results.failed)
        return next((fix for text, fix in _REMEDIES if text in said), _FIXES[worst])
    return unreached(worst, results.failed) or _FIXES[worst]
