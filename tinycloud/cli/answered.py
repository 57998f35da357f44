"""What `execute --json` and `--events` print: one JSON object a line, as it happens."""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from ..cloud import Stage, Step
from ..node import Node
from ..result import Output, Result, Results
from . import json_text
from .kept import Kept, Memory
from .lines import Begun
from .watching import Watching

_STREAMS = ("stdout", "stderr")


class Answered:
    """One object for each result, as it arrives, with what the node printed."""

    def __init__(self, watching: Watching) -> None:
        self._writer = watching.writer(sys.stdout)
        self._memory = Memory()
        self._kept: defaultdict[tuple[str, str], Kept] = defaultdict(Kept)

    def report(self, step: Step) -> None:
        """Take no note of steps."""

    async def feed(self, output: Output) -> None:
        """Keep a piece of output."""
        self._memory.add(self._kept[output.node.name, output.stream], output.data)

    async def finish(self, result: Result) -> None:
        """Print a result."""
        kept = {stream: self._kept[result.node.name, stream] for stream in _STREAMS}
        ends = {stream: one.ends() for stream, one in kept.items()}
        whole = replace(result, stdout=b"".join(ends["stdout"]), stderr=b"".join(ends["stderr"]))
        cuts = {
            stream: {"after": len(ends[stream][0]), "bytes": missing}
            for stream, one in kept.items()
            if (missing := one.size - sum(map(len, ends[stream])))
        }
        for stream, one in kept.items():
            self._memory.drop(one)
            del self._kept[result.node.name, stream]
        content = json_text.of_result(whole)
        await self._writer.write(_line({**content, "truncated": cuts} if cuts else content))

    async def end(self) -> None:
        """Print nothing: what has no result has no line."""


class Events:
    """One object for each thing that happens: `start`, `connected`, `output`, `result`, `summary`.

    Output comes in whole lines, unless they are very long.
    """

    def __init__(self, watching: Watching) -> None:
        self._writer = watching.writer(sys.stdout)
        self._tally = watching.tally
        self._begun = {stream: Begun() for stream in _STREAMS}
        self._told = False
        self._results: list[Result] = []
        self._loop = asyncio.get_running_loop()

    def report(self, step: Step) -> None:
        """Print which nodes it will be, once all are told, and who is connected."""
        if step.stage is Stage.PLANNED and not self._told:
            self._told = True
            self._loop.call_soon(self._start)
        elif step.stage is Stage.CONNECTED:
            self._writer.write_soon(_event("connected", {"node": step.node}))

    def _start(self) -> None:
        self._writer.write_soon(_event("start", {"nodes": self._tally.planned}))

    async def feed(self, output: Output) -> None:
        """Print the lines that a piece of output makes whole."""
        begun = self._begun[output.stream]
        await self._output(output.node, output.stream, begun.whole(output.node, output.data))

    async def finish(self, result: Result) -> None:
        """Print what a node printed last, and its result."""
        for stream, begun in self._begun.items():
            await self._output(result.node, stream, begun.rest(result.node))
        content = json_text.of_result(result)
        for stream in _STREAMS:
            del content[stream]
        self._results.append(result)
        await self._writer.write(_event("result", content))

    async def end(self) -> None:
        """Print what nodes had begun when all was over, and how many ended in which state."""
        for stream, begun in self._begun.items():
            for node in begun.nodes:
                await self._output(node, stream, begun.rest(node))
        summary = _summary(self._results, self._tally.planned)
        await self._writer.write(_event("summary", summary))

    async def _output(self, node: Node, stream: str, data: bytes) -> None:
        if data:
            content = json_text.of_bytes("data", data)
            said = {"node": node.name, "stream": stream, **content}
            await self._writer.write(_event("output", said))


def _event(kind: str, content: dict[str, object]) -> bytes:
    return _line({"event": kind, "time": round(time.time(), 6), **content})


def _line(content: dict[str, object]) -> bytes:
    return f"{json_text.dump(content)}\n".encode()


def _summary(results: Collection[Result], planned: Collection[str]) -> dict[str, object]:
    ended = {result.node.name for result in results}
    return {
        "nodes": len(planned),
        "counts": dict(Results(results).counts),
        "unfinished": [name for name in planned if name not in ended],
    }
