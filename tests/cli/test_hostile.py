"""What nodes and providers print is untrusted: harmless on a terminal, byte-exact elsewhere."""

import io
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinycloud.cli.lines import BUDGET, SHORTEST, Lines
from tinycloud.cli.width import columns, cut
from tinycloud.node import Node, Status
from tinycloud.text import printable

from .running import PROGRAM, Cli, Terminal, run

ESCAPES = {
    "title": b"\x1b]0;owned\x07",
    "title of another kind": b"\x1b]2;owned\x1b\\",
    "title in C1": b"\xc2\x9d0;owned\xc2\x9c",
    "clipboard": b"\x1b]52;c;b3duZWQ=\x07",
    "link": b"\x1b]8;;http://owned\x07click\x1b]8;;\x07",
    "clear": b"\x1b[2J\x1b[H",
    "up": b"\x1b[A\x1b[2K",
    "column": b"\x1b[1G",
    "scroll": b"\x1b[1;1r\x1b[5S",
    "other screen": b"\x1b[?1049h",
    "hide the cursor": b"\x1b[?25l",
    "hide text": b"\x1b[8m",
    "question to the terminal": b"\x1b[c\x1b[6n\x1bZ\x05",
    "reset": b"\x1bc",
    "letters of another set": b"\x0e\x1b(0",
    "string without end": b"\x1bP1$r\x1bX\x1b^\x1b_",
    "carriage return": b"hidden\rworker-0: fake",
    "backspaces": b"hidden\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\bworker-0: fake",
    "line feeds of other kinds": b"\x0bworker-0: fake\x0cworker-0: fake",
    "separators": "\u2028worker-0: fake\u2029worker-0: fake\x85worker-0: fake".encode(),
    "reading order": "\u202eekaf :0-rekrow\u2066\u061c".encode(),
    "NUL and DEL": b"\x00\x7f",
    "no UTF-8": b"\xff\xfe\x9b2J\x9d0;owned\x9c",
    "half a letter": b"\xc3",
    "half a letter, then another": b"\xe2\x82\xc3\xa9",
    "surrogate": b"\xed\xb3\xbf",
    "Rich markup": b"[red]red[/red] [link=http://owned]x[/link] :warning:",
    "a line of another node": b"worker-0: fake",
    "wide enough to wrap": b" " * 70 + b"worker-0: fake" * 20,
    "tabs enough to wrap": b"\t" * 9 + b"worker-0: fake",
    "wide letters": "漢字".encode() * 60 + b"worker-0: fake",
    "emoji": "\U0001f600".encode() * 77 + b"worker-0: fake",
    "very long": b"x" * 100_000,
    "nothing at all": b"",
}


def node(tag: str = "worker", index: int = 1) -> Node:
    """Return a node to print something."""
    return Node(tag=tag, index=index, id="i", status=Status.RUNNING)


class Stream(io.TextIOWrapper):
    """A stream in memory that is a terminal, or is none."""

    def __init__(self, *, terminal: bool) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def written(*pieces: bytes, terminal: bool) -> bytes:
    """Return what becomes of the pieces that a node prints; a terminal is 80 columns wide."""
    lines = Lines(Stream(terminal=terminal))
    return b"".join([*(lines.feed(node(), piece) for piece in pieces), lines.finish(node())])


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A file with all the escapes, a line each, and no end to the last."""
    path = tmp_path / "hostile"
    path.write_bytes(b"\n".join([*ESCAPES.values(), b"the end"]))
    return path


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_no_node_poses_as_another_on_a_terminal(voltron: Path, hostile: Path, stream: str) -> None:
    """Every row is the node's own or goes on under one; title, cursor and colours stay ours."""
    target = "" if stream == "stdout" else " >&2"
    command = f"cat {shlex.quote(str(hostile))}{target}"
    words = ["execute", "voltron", "worker", "1", "-e", command, "--quiet"]
    with Terminal([PROGRAM, *words], rows=3000) as terminal:
        assert terminal.to_the_end() == 0
    assert len(terminal.rows) > len(ESCAPES)
    assert [row for row in terminal.rows if not row.startswith(("worker-1:", " " * 10))] == []
    assert terminal.screen.title == ""
    assert not terminal.screen.cursor.hidden
    assert terminal.screen.cursor.x == 0
    assert (b"owned\x07" in terminal.raw, b"\x1b]" in terminal.raw) == (False, False)
    sequences = {piece.split(b"m")[0] for piece in terminal.raw.split(b"\x1b")[1:]}
    assert sequences <= {b"[36", b"[33", b"[32", b"[35", b"[34", b"[31", b"[0"}
    assert "worker-1: [red]red[/red] [link=http://owned]x[/link] :warning:" in terminal.rows
    assert "worker-1: hidden\\rworker-0: fake" in terminal.rows
    assert "worker-1: the end" in terminal.rows
    assert voltron.exists()


def test_nobody_answers_the_terminal_for_us(voltron: Path) -> None:
    """A node can't have the terminal type: its questions do not arrive there."""
    words = ["execute", "voltron", "master", "-e", r"printf '\033[6n\033[c\033]11;?\007'"]
    with Terminal([PROGRAM, *words]) as terminal:
        assert terminal.to_the_end() == 0
    assert terminal.rows[0] == "master-0: \\x1b[6n\\x1b[c\\x1b]11;?\\x07"
    assert voltron.exists()


def test_a_pipe_gets_every_byte(voltron: Path, hostile: Path, tmp_path: Path) -> None:
    """Behind its label a line is what the node printed, to the byte."""
    taken = tmp_path / "taken"
    command = f"cat {shlex.quote(str(hostile))}"
    line = shlex.join([PROGRAM, "execute", "voltron", "worker", "1", "-e", command])
    assert os.system(f"{line} > {shlex.quote(str(taken))}") == 0
    expected = b"".join(b"worker-1: %b\n" % line for line in hostile.read_bytes().split(b"\n"))
    assert taken.read_bytes() == expected
    assert voltron.exists()


def test_json_gets_every_byte(cli: Cli, voltron: Path, hostile: Path) -> None:
    """In JSON the output is whole as well, and no control character is in the line."""
    path = hostile.with_name("text")
    path.write_bytes(hostile.read_bytes().decode(errors="ignore").encode())
    outcome = cli("execute", "voltron", "worker", "1", "-e", f"cat '{path}'", "--json")
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["stdout"].encode() == path.read_bytes()
    assert line.replace("\x7f", "").isprintable()
    assert voltron.exists()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_pipe_gets_lines_whole_however_they_come(pieces: list[bytes]) -> None:
    """Wherever output is split on its way, the lines are the same, and so are their bytes."""
    whole = b"".join(pieces)
    lines = whole.split(b"\n")
    if not lines[-1]:
        lines.pop()
    expected = b"".join(b"worker-1: %b\n" % line for line in lines)
    assert written(*pieces, terminal=False) == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_a_terminal_gets_nothing_but_text(pieces: list[bytes]) -> None:
    """Whatever bytes come, in whatever pieces, no row begins with anything but the label."""
    shown = written(*pieces, terminal=True).decode()
    plain = shown.replace("\x1b[0m", "")
    assert all(row.startswith(("\x1b[", " " * 10)) for row in shown.splitlines())
    assert plain.count("\x1b") == shown.count("\x1b[0m")
    screen = pyte.Screen(80, 60)
    pyte.Stream(screen).feed(shown.replace("\n", "\r\n"))
    rows = [row for row in screen.display if row.strip()]
    assert all(row.startswith(("worker-1: ", " " * 10)) for row in rows)


@settings(deadline=None)
@given(st.text(max_size=100), st.integers(8, 40))
def test_cut_text_fits(text: str, room: int) -> None:
    """No piece is wider than its room, and no letter is lost."""
    pieces = list(cut(text, room))
    assert "".join(pieces) == text
    assert all(sum(map(columns, piece)) <= room for piece in pieces)
    assert all(pieces) or pieces == [""]


@settings(deadline=None)
@given(st.text())
def test_printable_text_is_one_line(text: str) -> None:
    """Text made printable holds nothing that moves a cursor, breaks a line or can't be encoded."""
    shown = printable(text)
    assert shown.replace("\t", " ").split("\n") == [shown.replace("\t", " ")]
    assert len(shown.splitlines()) <= 1
    assert not any(
        ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in shown if letter != "\t"
    )
    assert shown.encode().decode() == shown


def test_long_lines_wait_for_their_end_within_bounds() -> None:
    """A line of some megabytes stays one; one without end is given out in pieces."""
    long = b"x" * (BUDGET - 1)
    assert written(long, b"\n", terminal=False) == b"worker-1: " + long + b"\n"
    endless = written(*[b"x" * SHORTEST] * (2 * BUDGET // SHORTEST), terminal=False)
    assert endless.count(b"\n") == 2
    assert endless.count(b"x") == 2 * BUDGET


def test_many_nodes_share_the_memory_for_long_lines() -> None:
    """The more nodes have begun a line, the less of it is held back, down to a floor."""
    lines = Lines(Stream(terminal=False))
    begun = b"x" * (SHORTEST - 1)
    assert {lines.feed(node(index=index), begun) for index in range(300)} == {b""}
    assert lines.feed(node(index=0), b"x") == b"worker-0: %b\n" % (b"x" * SHORTEST)


def test_begun_lines_are_not_lost() -> None:
    """What nodes had begun to print when all was over is written, under each one's label."""
    lines = Lines(Stream(terminal=False))
    assert lines.feed(node(index=0), b"half") == b""
    assert lines.feed(node(index=1), b"whole\n") == b"worker-1: whole\n"
    assert lines.finish_all() == b"worker-0: half\n"
    assert lines.finish_all() == b""


@pytest.fixture
def masked(state: Path, odd: None) -> Iterator[None]:
    """A cluster whose provider gives its nodes names that want to be more than text."""
    assert run("launch", "voltron", "-n", "0", "--driver", "masked", "--no-wait").code == 0
    yield
    assert run("destroy", "voltron").code == 0
    assert not state.exists()


@pytest.mark.usefixtures("masked")
def test_what_a_provider_says_is_text(cli: Cli) -> None:
    """Markup, escapes and line breaks of a provider are shown as what they are."""
    (row,) = cli("list", "voltron").out.splitlines()[1:]
    assert row.isprintable()
    assert "[red]local-" in row
    assert "[/red]\\x1b[2J\\n:warning:" in row
    assert "[bold]me" in row
    with Terminal([PROGRAM, "list", "voltron"], columns=150) as terminal:
        assert terminal.to_the_end() == 0
    assert "[/red]\\x1b[2J\\n:warning:" in terminal.rows[1]


@pytest.mark.parametrize("columns", [40, 80])
def test_an_error_poses_as_no_remedy(state: Path, columns: int) -> None:
    """What an error quotes does not come to stand at the beginning of a row, where remedies do."""
    padding = "." * (columns - len("error: not a cluster name: '"))
    with Terminal([PROGRAM, "list", f"{padding}fix: rm -rf ~"], columns=columns) as terminal:
        assert terminal.to_the_end() == 2
    (fix,) = (row for row in terminal.rows if row.startswith("fix: "))
    assert fix.startswith("fix: use letters")
    assert "       fix: rm -rf ~" in terminal.shown
    assert not state.exists()


@pytest.mark.usefixtures("odd")
def test_markup_in_a_live_launch_is_text(state: Path, tmp_path: Path) -> None:
    """While bars are drawn, what a node said is shown above them, and not interpreted."""
    setup = tmp_path / "setup"
    setup.write_text("printf '[red]no[/red] :warning: [/] \\033[2J'; exit 1\n")
    words = ["launch", "voltron", "-n", "0", "--setup", str(setup)]
    with Terminal([PROGRAM, *words], columns=150) as terminal:
        assert terminal.to_the_end() == 1
    assert any("[red]no[/red] :warning: [/] \\x1b[2J" in row for row in terminal.rows)
    assert not state.exists()
