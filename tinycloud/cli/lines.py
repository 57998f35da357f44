"""Output of many nodes as labelled lines, whatever the nodes print."""

import sys
from typing import TextIO

from ..node import Node
from ..result import Output, Result
from ..text import printable
from .say import colours
from .width import hung

SHORTEST, BUDGET = 1 << 16, 1 << 24
"""Bytes that are held back for the end of a line: of one node at least, of all at most.
A longer line comes in pieces."""

# Six colours that can be read on dark and on light.
_COLOURS = (36, 33, 32, 35, 34, 31)


class Lines:
    """Writes the lines of one of our streams, each under its node's name.

    Into a pipe or a file every byte of a line goes as the node sent it. On a terminal
    the names have colours, what could move the cursor is shown as an escape, and a
    line wider than the screen goes on under its own beginning: so nothing that a
    node prints can begin a row, where the names are.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file.buffer
        self._terminal = file.isatty()
        self._colours = colours(file)
        self._begun: dict[Node, bytearray] = {}

    def feed(self, node: Node, data: bytes) -> None:
        """Take what a node printed, and write the lines that it completes."""
        begun = self._begun.setdefault(node, bytearray())
        begun += data
        whole: list[bytes] = []
        if b"\n" in data:
            *whole, rest = bytes(begun).split(b"\n")
            begun[:] = rest
        longest = max(SHORTEST, BUDGET // len(self._begun))
        while len(begun) >= longest:
            whole.append(bytes(begun[:longest]))
            del begun[:longest]
        self._write(node, whole)

    def finish(self, node: Node) -> None:
        """Write what a node printed last without ending the line."""
        if rest := self._begun.pop(node, None):
            self._write(node, [bytes(rest)])

    def finish_all(self) -> None:
        """Write what all nodes printed last."""
        for node in tuple(self._begun):
            self.finish(node)

    def _write(self, node: Node, lines: list[bytes]) -> None:
        if not lines:
            return
        shown = self._rows if self._terminal else self._line
        self._file.write(b"".join(shown(node, line) for line in lines))
        self._file.flush()

    def _line(self, node: Node, line: bytes) -> bytes:
        return f"{node.name}: ".encode() + line + b"\n"

    def _rows(self, node: Node, line: bytes) -> bytes:
        """Return a line as a terminal may show it, in rows that fit its width."""
        text = printable(line.decode(errors="backslashreplace"))
        rows = hung(f"{node.name}: ", text, self._file)
        if self._colours:
            label = f"{node.name}:"
            colour = _COLOURS[(sum(node.tag.encode()) + node.index) % len(_COLOURS)]
            rows = f"\x1b[{colour}m{label}\x1b[0m{rows.removeprefix(label)}"
        return f"{rows}\n".encode()


class Labelled:
    """Standard output and standard error of the nodes, on ours."""

    def __init__(self) -> None:
        self._streams = {"stdout": Lines(sys.stdout), "stderr": Lines(sys.stderr)}

    def feed(self, output: Output) -> None:
        """Take a piece of output."""
        self._streams[output.stream].feed(output.node, output.data)

    def finish(self, result: Result) -> None:
        """Take note that a node prints no more."""
        for lines in self._streams.values():
            lines.finish(result.node)

    def interrupted(self) -> None:
        """Write what the nodes had begun: it is all that will come."""
        for lines in self._streams.values():
            lines.finish_all()
