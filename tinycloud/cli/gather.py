"""The outputs of all nodes at the end: identical ones in one block, or as what differs."""

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from ..cloud import Step
from ..node import Node
from ..nodeset import folded
from ..result import Output, Result, State
from ..text import printable
from .difference import difference
from .fold import Block, Fold
from .kept import Memory
from .say import colours, note
from .watching import Watching
from .width import hung

_RAN = (State.OK, State.FAILED, State.SIGNALLED, State.TIMEOUT, State.LOST)
_INDENT = "  "
_BATCH = 1 << 16
_COLOURS = {"+": 32, "-": 31, "@": 36}


class Gathered:
    """Blocks, each under the names of the nodes that printed it; every line is indented.

    So nothing that nodes print can stand where the names do. With `diff` the first
    block, that of most nodes, is shown whole, and of the others what differs from it.
    """

    def __init__(self, watching: Watching, *, diff: bool = False) -> None:
        self._watching = watching
        self._diff = diff
        memory = Memory()
        self._folds = {"stdout": Fold(memory), "stderr": Fold(memory)}

    def report(self, step: Step) -> None:
        """Take no note of steps."""

    async def feed(self, output: Output) -> None:
        """Take a piece of output."""
        self._folds[output.stream].feed(output.node, output.data)

    async def finish(self, result: Result) -> None:
        """Take note that a node prints no more."""
        for fold in self._folds.values():
            ended = result.exit_status is not None
            fold.finish(result.node, ran=result.state in _RAN, whole=ended)

    @property
    def folds_something(self) -> bool:
        """Whether two nodes at least have printed the same."""
        return any(len(fold.blocks(())) < fold.nodes for fold in self._folds.values())

    async def end(self) -> None:
        """Write the blocks."""
        order = self._watching.tally.planned
        for (stream, fold), file in zip(self._folds.items(), (sys.stdout, sys.stderr), strict=True):
            blocks = fold.blocks(order)
            writer = self._watching.writer(file)
            page = Page(file, "" if stream == "stdout" else ", standard error")
            for block in blocks:
                base = blocks[0] if self._diff and block is not blocks[0] else None
                for piece in _batches(page.block(block, base)):
                    await writer.write(piece)
            if stream == "stdout" and blocks and fold.silent:
                await self._watching.flush()
                note(f"no output: {_called(fold.silent)}")


class Page:
    """How blocks look on one of our streams."""

    def __init__(self, file: TextIO, remark: str) -> None:
        self._file = file
        self._remark = remark
        self._terminal = file.isatty()
        self._colours = colours(file)

    def block(self, block: Block, base: Block | None) -> Iterator[bytes]:
        """Yield a block in pieces; with a `base` only what differs from that."""
        unfinished = "" if block.whole else ", as far as it came"
        against = f" differs from {_called(base.nodes)}" if base else ""
        head = f"{_called(block.nodes)}{self._remark}{unfinished}{against}:"
        yield f"\x1b[1m{head}\x1b[0m\n".encode() if self._colours else f"{head}\n".encode()
        if base is not None:
            for line in difference(base.output, block.output):
                yield self._line(line, marked=True)
            return
        head_of, tail = block.output.ends()
        yield from self._lines(head_of)
        missing = block.output.size - len(head_of) - len(tail)
        if missing:
            yield f"... {missing} bytes are left out here; --output-dir keeps all\n".encode()
            yield from self._lines(tail)

    def _lines(self, data: bytes) -> Iterator[bytes]:
        for line in _split(data):
            yield self._line(line)

    def _line(self, line: bytes, *, marked: bool = False) -> bytes:
        if not self._terminal:
            return _INDENT.encode() + line + b"\n"
        rows = hung(_INDENT, printable(line.decode(errors="backslashreplace")), self._file)
        colour = _COLOURS.get(rows[len(_INDENT)]) if marked and self._colours else None
        if colour:
            rows = f"\x1b[{colour}m{rows}\x1b[0m"
        return f"{rows}\n".encode()


def _split(data: bytes) -> Iterator[bytes]:
    """Yield lines without their ends, without copying all of them at once."""
    begun = 0
    while begun < len(data):
        end = data.find(b"\n", begun)
        end = len(data) if end < 0 else end
        yield data[begun:end]
        begun = end + 1


def _batches(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield many lines at once: each write costs."""
    held = bytearray()
    for line in lines:
        held += line
        if len(held) >= _BATCH:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _called(nodes: Iterable[Node]) -> str:
    names = [node.name for node in nodes]
    return f"{folded(names)} ({len(names)})"
