"""Put files on nodes and get files from them: what was asked for, how it goes, how it went."""

import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol, Self

import typer

from ..cloud import Cloud
from ..errors import InvalidInput
from ..node import Node
from ..nodeset import folded, indices
from ..result import Result, Results, State
from ..ssh.files.progress import Progress
from . import exits, json_text
from .say import MANNER, answer, counted, error, note

PUT = "tinycloud put NAME [TAG] [INDEX] LOCAL... REMOTE"
GET = "tinycloud get NAME [TAG] [INDEX] REMOTE LOCAL"

# What helps, for the worst that happened: the first of these that did.
_FIXES = {
    State.UNTRUSTED: "find out who answers there; a machine that was rebuilt must be replaced",
    State.UNREACHABLE: "'tinycloud status {0}' shows the nodes, 'tinycloud launch {0}' mends them",
    State.GONE: "'tinycloud launch {0}' makes the nodes that are missing",
    State.LOST: "run it again: what has arrived is not moved again",
    State.FAILED: "mend that and run it again: what has arrived is not moved again",
}

# What helps where a node says why it failed.
_REMEDIES = (
    ("no space left", "free space there; 'tinycloud execute {0} -e \"df -h\"' shows what is full"),
    ("permission denied", "take a path that the nodes' user has access to"),
    ("read-only file system", "take a path that can be written to"),
    ("no such file", "look for it: tinycloud execute {0} -e ls"),
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
    return _conclude(cloud, results, watch, as_json=request.as_json)


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
    return _conclude(cloud, results, watch, as_json=request.as_json)


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
    """Adds up how far all nodes are, and shows it; `verb` says what happens to files."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self._at: dict[str, Progress] = {}
        self._begun = time.monotonic()
        self._face = _face(self)

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
            self._at[progress.node] = progress
            self._face.show()

    @property
    def bytes(self) -> int:
        """Bytes moved."""
        return sum(progress.bytes for progress in self._at.values())

    @property
    def of_bytes(self) -> int:
        """Bytes to move, as far as that is known."""
        return sum(progress.of_bytes for progress in self._at.values())

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def nodes(self) -> str:
        """Return on how many nodes all is done, out of those that are at work."""
        done = sum(p.files == p.of_files for p in self._at.values())
        return f"{done} of {counted(len(self._at))} done"

    def summary(self) -> str:
        """Return all that was moved, in words."""
        files = sum(progress.files for progress in self._at.values())
        unchanged = sum(progress.unchanged for progress in self._at.values())
        rate = f", {size(self.bytes / self.seconds)}/s" if self.bytes else ""
        kept = f"; unchanged: {unchanged}" if unchanged else ""
        moved = f"{self.verb} {files} file{'' if files == 1 else 's'}"
        return f"{moved}, {size(self.bytes)} ({self.seconds:.1f} s{rate}){kept}"


class Lines:
    """A plain line from time to time."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._last = time.monotonic()

    def start(self) -> None:
        """Show nothing yet."""

    def show(self) -> None:
        """Show how far it is, if it is time to."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            watch = self._watch
            note(f"{watch.verb} {size(watch.bytes)} of {size(watch.of_bytes)}: {watch.nodes()}")

    def stop(self) -> None:
        """Show no more."""


def _face(watch: Watch) -> Face:
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if MANNER.quiet or not terminal:
        return Lines(watch)
    # Loaded here: a transfer that nobody watches need not wait for it.
    from .meter import Meter

    return Meter(watch)


_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(number: float) -> str:
    """Return a number of bytes in words: `0 bytes`, `2.0 kB`, `1.5 GB`."""
    for unit in _UNITS:
        if number < 999.95 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"


def _conclude(cloud: Cloud, results: Results, watch: Watch, *, as_json: bool) -> int:
    """Say how it went, and return the exit code."""
    if as_json:
        for result in results:
            answer(json_text.dump(json_text.of_result(result)))
    if not results.ok:
        failed = f"{len(results.failed)} of {counted(len(results))} failed"
        error(failed, _reasons(results.failed), _fix(results).format(cloud.name))
    counts = ", ".join(f"{count} {state}" for state, count in results.counts.items())
    note(watch.summary())
    note(f"{counted(len(results))}: {counts}")
    return exits.of_states(result.state for result in results)


def _reasons(failed: Collection[Result]) -> str:
    """Return what went wrong, each thing once, and on which nodes."""
    nodes: defaultdict[str, list[Node]] = defaultdict(list)
    for result in failed:
        reason = (result.error or str(result.state)).replace(f"{result.node.name} ", "it ")
        nodes[reason].append(result.node)
    return "; ".join(
        f"{folded(node.name for node in found)}: {reason}" for reason, found in nodes.items()
    )


def _fix(results: Results) -> str:
    worst = next(state for state in _FIXES if state in results.counts)
    if worst is State.FAILED:
        said = " ".join((result.error or "").lower() for result in results.failed)
        return next((fix for text, fix in _REMEDIES if text in said), _FIXES[worst])
    return _FIXES[worst]
