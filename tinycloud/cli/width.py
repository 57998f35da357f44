"""How wide text is on a terminal, and how it is cut to fit."""

import os
import unicodedata
from collections.abc import Iterator
from typing import IO, Any

NARROWEST = 8
"""Columns that text gets beside its indent, however narrow the terminal."""


def hung(label: str, text: str, file: IO[Any]) -> str:
    """Return `text` after its label, in rows that fit the terminal `file`.

    All rows but the first are indented, so that nothing in the text can begin one:
    a long line can't be made to look like two.
    """
    indent = len(label) or 2
    room = max(NARROWEST, width(file) - indent)
    return label + f"\n{' ' * indent}".join(cut(text.expandtabs(), room))


def cut(text: str, room: int) -> Iterator[str]:
    """Yield `text` in pieces of at most `room` columns."""
    if text.isascii():
        yield from (text[begin : begin + room] for begin in range(0, len(text) or 1, room))
        return
    begin = width = 0
    for end, character in enumerate(text):
        width += columns(character)
        if width > room:
            yield text[begin:end]
            begin, width = end, columns(character)
    yield text[begin:]


def columns(character: str) -> int:
    """Return how many columns of a terminal a character takes, at the most."""
    wide = character >= "\U0001f000" or unicodedata.east_asian_width(character) in "WFA"
    return 2 if wide else 1


def width(file: IO[Any]) -> int:
    """Return the columns of a terminal; it may have none, or have gone."""
    try:
        return os.get_terminal_size(file.fileno()).columns or 80
    except OSError:
        return 80
