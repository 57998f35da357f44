"""The documentation as its readers see it: fenced blocks, and words set as code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_PROMPT = re.compile(r"\S+/\S+:\S*[$#%] (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One fenced block: its language, what else its info string says, and what it holds."""

    page: Path
    line: int
    language: str
    note: str = ""
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(slots=True, kw_only=True)
class Command:
    """A line after a `$`, what the page shows that it prints, and what is typed into it."""

    text: str
    shown: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)


def fences(page: Path) -> tuple[Fence, ...]:
    """Return the fenced blocks of a page, in order."""
    found = []
    for token in _MARKDOWN.parse(page.read_text()):
        if token.type == "fence":
            language, _, note = token.info.partition(" ")
            line = (token.map or [0])[0] + 1
            fence = Fence(page=page, line=line, language=language, note=note, text=token.content)
            found.append(fence)
    return tuple(found)


def code_words(page: Path) -> tuple[str, ...]:
    """Return what a page sets as code within its sentences and tables."""
    return tuple(
        child.content.replace("\\|", "|")
        for token in _MARKDOWN.parse(page.read_text())
        for child in token.children or ()
        if child.type == "code_inline"
    )


def links(page: Path) -> Iterator[str]:
    """Yield where the links of a page lead."""
    for token in _MARKDOWN.parse(page.read_text()):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrs["href"])


def commands(fence: Fence) -> tuple[Command, ...]:
    """Return the commands of a `console` fence."""
    found: list[Command] = []
    for line in fence.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(text=line.removeprefix("$ ")))
        elif typed := _PROMPT.fullmatch(line):
            found[-1].typed.append(typed[1])
        else:
            found[-1].shown.append(line)
    return tuple(found)
