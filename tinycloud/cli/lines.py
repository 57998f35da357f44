"""Output of many nodes as labelled lines, whatever the nodes print."""

import sys
from typing import TextIO

from ..cloud import Step
from ..node import Node
from ..result import Output, Result
from ..text import printable
from .say import colours
from .watching import Watching
from .width import hung

SHORTEST, BUDGET = 1 << 16, 1 << 22
"""Bytes that are held back for the end of a line: of one node at least, of all at most.
A longer line comes in pieces."""

# Six colours that can be read on dark and on light.
_COLOURS = (36, 33, 32, 35, 34, 31)


class Begun:
    """Holds back what nodes have begun to print, until it is a line."""

    def __init__(self) -> None:
        self._begun: dict[Node, bytearray] = {}

    def whole(self, node: Node, data: bytes) -> bytes:
        """Take what a node printed next; return the lines that it makes whole, or nothing."""
        begun = self._begun.get(node)
        if begun is None:
            begun = self._begun[node] = bytearray()
        end = data.rfind(b"\n") + 1
        lines = bytes(begun) + data[:end] if end else b""
        if end:
            begun[:] = data[end:]
        else:
            begun += data
        longest = max(SHORTEST, BUDGET // len(self._begun))
        if len(begun) >= longest:
            over = len(begun) // longest * longest
            pieces = (begun[at : at + longest] + b"\n" for at in range(0, over, longest))
            lines += b"".join(pieces)
            del begun[:over]
        return lines

    def rest(self, node: Node) -> bytes:
        """Return what a node printed last without ending the line."""
        return bytes(self._begun.pop(node, b""))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that have printed, and have not been asked for the rest."""
        return tuple(self._begun)


class Lines:
    """Makes what is to be seen of the lines of one stream, each under its node's name.

    Into a pipe or a file every byte of a line goes as the node sent it. On a terminal
    the names have colours, what could move the cursor is shown as an escape, and a
    line wider than the screen goes on under its own beginning: so nothing that a
    node prints can begin a row, where the names are.
    """

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self._show = self._rows if file.isatty() else _labelled
        self._colours = colours(file)
        self._begun = Begun()

    def feed(self, node: Node, data: bytes) -> bytes:
        """Take what a node printed; return what there is to show of it."""
        lines = self._begun.whole(node, data)
        return self._show(node, lines[:-1]) if lines else b""

    def finish(self, node: Node) -> bytes:
        """Return what there is to show of what a node printed last."""
        rest = self._begun.rest(node)
        return self._show(node, rest) if rest else b""

    def finish_all(self) -> bytes:
        """Return what there is to show of what all nodes printed last."""
        return b"".join(self.finish(node) for node in self._begun.nodes)

    def _rows(self, node: Node, lines: bytes) -> bytes:
        """Return lines as a terminal may show them, in rows that fit its width."""
        label, shown = f"{node.name}:", f"{node.name}:"
        if self._colours:
            colour = _COLOURS[(sum(node.tag.encode()) + node.index) % len(_COLOURS)]
            shown = f"\x1b[{colour}m{label}\x1b[0m"
        texts = (printable(line.decode(errors="backslashreplace")) for line in lines.split(b"\n"))
        rows = (hung(f"{label} ", text, self.file).removeprefix(label) for text in texts)
        return "".join(f"{shown}{row}\n" for row in rows).encode()


def _labelled(node: Node, lines: bytes) -> bytes:
    """Return lines as they are, behind labels; what ends the last is not among them."""
    label = f"{node.name}: ".encode()
    return label + lines.replace(b"\n", b"\n" + label) + b"\n"


class Labelled:
    """Standard output and standard error of the nodes, on ours, as they come."""

    def __init__(self, watching: Watching) -> None:
        self.rows = 0
        self._lines = {"stdout": Lines(sys.stdout), "stderr": Lines(sys.stderr)}
        self._writers = {name: watching.writer(one.file) for name, one in self._lines.items()}

    def report(self, step: Step) -> None:
        """Take no note of steps."""

    async def feed(self, output: Output) -> None:
        """Take a piece of output."""
        await self._write(output.stream, self._lines[output.stream].feed(output.node, output.data))

    async def finish(self, result: Result) -> None:
        """Take note that a node prints no more."""
        for stream, lines in self._lines.items():
            await self._write(stream, lines.finish(result.node))

    async def end(self) -> None:
        """Write what nodes had begun when all was over: it is all that will come."""
        for stream, lines in self._lines.items():
            await self._write(stream, lines.finish_all())

    async def _write(self, stream: str, data: bytes) -> None:
        if data:
            self.rows += data.count(b"\n")
            await self._writers[stream].write(data)
