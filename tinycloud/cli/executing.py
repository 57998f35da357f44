"""Run a command on nodes and show what comes of it."""

import sys
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from ..cloud import Cloud
from ..errors import InvalidInput
from ..result import Output, Result, Results
from . import exits, json_text
from .lines import Labelled
from .nodeset import folded
from .say import error, note

_FIXES = {
    exits.COMMAND_FAILED: "see what it printed",
    exits.UNREACHABLE: "'tinycloud status {0}' shows the nodes, 'tinycloud launch {0}' mends them",
    exits.UNTRUSTED: "find out who answers there; a machine that was rebuilt must be replaced",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as it was asked for on the command line."""

    command: str
    tag: str | None = None
    index: Collection[int] | None = None
    keyfile: Path | None = None
    timeout: float | None = None
    limit: int | None = None
    as_json: bool = False


def command_text(given: str) -> str:
    """Return the command: what was given, or what the file of that name holds."""
    try:
        path = Path(given)
        text = path.read_text() if path.is_file() else given
    except (OSError, ValueError):  # no name that a file could have
        text = given
    if not text.strip():
        raise InvalidInput("the command is empty", fix="give one, as in: -e uptime")
    return text


async def execute(cloud: Cloud, request: Request) -> int:
    """Run the command, show output and results as they come, and return the exit code."""
    results: list[Result] = []
    take = _json_lines() if request.as_json else _text_lines()
    stream = cloud.stream(
        request.command,
        tag=request.tag,
        index=request.index,
        keyfile=request.keyfile,
        timeout=request.timeout,
        limit=request.limit,
    )
    async with aclosing(stream) as events:
        async for event in events:
            take(event)
            if isinstance(event, Result):
                results.append(event)
    return _conclude(cloud.name, Results(results))


Take = Callable[[Output | Result], None]


def _text_lines() -> Take:
    labelled = Labelled()

    def take(event: Output | Result) -> None:
        if isinstance(event, Output):
            labelled.feed(event)
        else:
            labelled.finish(event.node)

    return take


def _json_lines() -> Take:
    kept: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)

    def take(event: Output | Result) -> None:
        name = event.node.name
        if isinstance(event, Output):
            kept[name, event.stream].append(event.data)
            return
        out, err = (b"".join(kept.pop((name, s), [])) for s in ("stdout", "stderr"))
        print(json_text.dump(json_text.of_result(replace(event, stdout=out, stderr=err))))
        sys.stdout.flush()

    return take


def _conclude(cluster: str, results: Results) -> int:
    """Say how many nodes ended in which state, and why not all are `ok`."""
    code = exits.of_states(result.state for result in results)
    counts = ", ".join(f"{count} {state}" for state, count in results.counts.items())
    if code != exits.OK:
        reasons: defaultdict[str, list[str]] = defaultdict(list)
        for result in results.failed:
            reasons[_reason(result)].append(result.node.name)
        cause = "; ".join(f"{folded(names)}: {reason}" for reason, names in reasons.items())
        failed = f"{len(results.failed)} of {len(results)} nodes failed"
        error(failed, cause, _FIXES[code].format(cluster))
    note(f"{len(results)} nodes: {counts}" if results else "no nodes")
    return code


def _reason(result: Result) -> str:
    return (result.error or str(result.state)).replace(f"{result.node.name} ", "it ")
