"""Run a command on nodes and show what comes of it."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing

from ..cloud import Cloud, Step
from ..fanout import to_the_end
from ..nodeset import folded
from ..result import Output, Result, Results, State
from ..ssh.stop import ENDED_EARLY
from . import choice, exits, failed
from .reasons import UNREACHED, reasons, unreached
from .request import Request
from .say import counted, error, note
from .shown import Shown, shown
from .stdin import standard_input
from .tally import Tally
from .watching import Watching

# What helps, for the worst that happened: the first of these that did.
_FIXES = {
    **UNREACHED,
    State.LOST: "'tinycloud status {0}' shows what became of the nodes",
    State.TIMEOUT: "give it more time with --timeout, or less to do",
    State.FAILED: "see what it printed",
    State.SIGNALLED: "see what it printed",
    State.SKIPPED: "see what failed before",
}


async def execute(cloud: Cloud, request: Request) -> int:
    """Run the command, show output and results as they come, and return the exit code."""
    names = choice.names(cloud, request)
    async with Watching(keyboard=not request.stdin) as watching:
        faces = shown(request.wish, watching)
        results: list[Result] = []

        def keep() -> None:
            planned = watching.tally.planned
            failed.keep(cloud.name, results, planned, retried=request.retry_failed)

        try:
            await _run(cloud, request, names, faces, results)
        except asyncio.CancelledError:
            watching.end()
            await to_the_end(_end(faces))
            _say_unfinished(results, watching.tally)
            keep()
            raise
        watching.end()
        await _end(faces)
        await watching.flush()
        stopped = request.stop.why is not None
        code = _say_stopped(results) if stopped else _conclude(cloud, results)
        keep()
        return code


async def _run(
    cloud: Cloud,
    request: Request,
    names: Collection[str] | None,
    faces: Sequence[Shown],
    results: list[Result],
) -> None:
    """Run the command, and tell the faces all that comes of it."""

    def report(step: Step) -> None:
        for face in faces:
            face.report(step)

    stream = cloud.stream(
        request.command,
        tag=None if names else request.tag,
        index=None if names else request.index,
        names=names,
        keyfile=request.keyfile,
        input=standard_input() if request.stdin else None,
        sudo=request.sudo,
        timeout=request.timeout,
        limit=request.limit,
        serial=request.serial,
        max_fail=request.max_fail,
        fail_fast=request.fail_fast,
        stop=request.stop,
        report=report,
    )
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, Output):
                for face in faces:
                    await face.feed(event)
            else:
                results.append(event)
                for face in faces:
                    await face.finish(event)


async def _end(faces: Sequence[Shown]) -> None:
    for face in faces:
        await face.end()


def _say_unfinished(results: Sequence[Result], tally: Tally) -> None:
    """Say, after an interrupt, who was done and who was not."""
    note(f"{_counts(results)} before that" if results else "no node was done")
    if cut := tally.running:
        note(f"cut off: {folded(cut)}")
    if waiting := tally.waiting:
        note(f"not begun: {folded(waiting)}")


def _say_stopped(results: Sequence[Result]) -> int:
    """Say where the command was ended early, and where that is not sure."""
    note(_counts(results))
    cut = [result for result in results if (result.error or "").startswith(ENDED_EARLY)]
    sure = [result for result in cut if result.confirmed]
    doubtful = [result for result in results if not result.confirmed]
    doubt = f", not confirmed on {len(doubtful)}: {folded(r.node.name for r in doubtful)}"
    note(f"stopped on {len(sure)}{doubt if doubtful else ''}")
    if skipped := [result.node.name for result in results if result.state is State.SKIPPED]:
        note(f"not begun: {folded(skipped)}")
    return exits.of_states(result.state for result in results)


def _conclude(cloud: Cloud, found: list[Result]) -> int:
    """Say how many nodes ended in which state, and why not all are `ok`."""
    tags = [group.tag for group in cloud.groups]

    def place(result: Result) -> tuple[int, int]:
        return tags.index(result.node.tag), result.node.index

    results = Results(sorted(found, key=place))
    code = exits.of_states(result.state for result in results)
    if not results.ok:
        worst = next(state for state in _FIXES if state in results.counts)
        failed = len(results.failed) - results.counts.get(State.SKIPPED, 0)
        what = f"{failed} of {counted(len(results))} failed"
        fix = unreached(worst, results.failed) or _FIXES[worst]
        error(what, reasons(results.failed), fix.format(cloud.name))
    note(_counts(results))
    return code


def _counts(results: Collection[Result]) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in Results(results).counts.items())
    return f"{counted(len(results))}: {counts}" if results else "no nodes"
