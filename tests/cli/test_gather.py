"""Outputs at the end: what is alike once, what is odd apart, and nobody under another's name."""

from collections.abc import Iterable
from pathlib import Path

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinycloud.cli.difference import MOST_LINES, difference
from tinycloud.cli.fold import Block, Fold
from tinycloud.cli.gather import Page
from tinycloud.cli.kept import Kept, Memory
from tinycloud.node import Node, Status

from .running import PROGRAM, Cli, Terminal
from .test_hostile import ESCAPES, Stream

ODD = "echo one; test $TINYCLOUD_NODE = worker-0 && echo more || echo two"


def node(index: int) -> Node:
    """Return a node to print something."""
    return Node(tag="worker", index=index, id=f"i-{index}", status=Status.RUNNING)


def kept(data: bytes, most: int = 1 << 20) -> Kept:
    """Return what is kept of an output."""
    found = Kept()
    found.add(data, most)
    return found


def folded(outputs: Iterable[bytes], finished: int | None = None) -> list[tuple[list[int], bytes]]:
    """Return indices and outputs, block by block, of nodes that print these, in order."""
    fold = Fold(Memory())
    for index, output in enumerate(outputs):
        for at in range(len(output)):
            fold.feed(node(index), output[at : at + 1])
        if finished is None or index < finished:
            fold.finish(node(index))
    return [([n.index for n in b.nodes], b.output.ends()[0]) for b in fold.blocks(())]


@given(st.lists(st.sampled_from([b"", b"a", b"a\n", b"b\n"]), max_size=12))
def test_each_node_is_in_one_block_with_what_it_printed(outputs: list[bytes]) -> None:
    """Blocks partition the nodes that printed something, and hold equal outputs only."""
    blocks = folded(outputs)
    assert sorted(i for nodes, _ in blocks for i in nodes) == [
        i for i, output in enumerate(outputs) if output
    ]
    assert all(outputs[i] == output for nodes, output in blocks for i in nodes)
    assert len({output for _, output in blocks}) == len(blocks)
    sizes = [len(nodes) for nodes, _ in blocks]
    assert sizes == sorted(sizes, reverse=True)


def test_who_had_not_ended_is_apart() -> None:
    """The beginning of an output is not taken for the whole of another one."""
    assert folded([b"a\n", b"a\n", b"a\n"], finished=2) == [([0, 1], b"a\n"), ([2], b"a\n")]


def test_what_was_cut_off_is_apart(cli: Cli, voltron: Path) -> None:
    """A block of what was printed until a command was ended early says so."""
    command = "echo begun; [ $TINYCLOUD_NODE = master-0 ] || sleep 60"
    outcome = cli("execute", "voltron", "-e", command, "--gather", "--timeout", "5")
    assert (outcome.code, outcome.out) == (
        5,
        "master-0 (1):\n  begun\nworker-[0-1] (2), as far as it came:\n  begun\n",
    )
    assert voltron.exists()


def test_alike_outputs_are_one_block(cli: Cli, voltron: Path) -> None:
    """`--gather` shows only blocks, the largest first, standard error apart, and who is mute."""
    outcome = cli("execute", "voltron", "-e", ODD, "--gather")
    assert outcome.out == ("master-0,worker-1 (2):\n  one\n  two\nworker-0 (1):\n  one\n  more\n")
    assert outcome.lines == ["3 nodes: 3 ok"]
    quiet = "case $TINYCLOUD_NODE in master-0) printf a;; worker-0) echo b >&2; exit 3;; esac"
    outcome = cli("execute", "voltron", "-e", quiet, "--gather")
    assert (outcome.code, outcome.out) == (1, "master-0 (1):\n  a\n")
    assert outcome.lines[:3] == [
        "no output: worker-[0-1] (2)",
        "worker-0 (1), standard error:",
        "  b",
    ]
    assert voltron.exists()


def test_a_difference_from_most(cli: Cli, voltron: Path) -> None:
    """`--diff` shows the block of most nodes whole, and of the odd one what differs."""
    outcome = cli("execute", "voltron", "-e", ODD, "--diff", "--quiet")
    assert outcome.out.splitlines()[3:] == [
        "worker-0 (1) differs from master-0,worker-1 (2):",
        "  @@ -1,2 +1,2 @@",
        "   one",
        "  -two",
        "  +more",
    ]
    assert voltron.exists()


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_a_difference_leads_from_one_to_the_other(before: list[str], after: list[str]) -> None:
    """Removed and added lines, where the numbers say, make the other output of the first."""
    one, other = ("".join(f"{line}\n" for line in lines).encode() for lines in (before, after))
    made, source, place = [], before, 0
    for line in difference(kept(one), kept(other)):
        text = line.decode()
        if text.startswith("@@"):
            begin = int(text.split()[1].split(",")[0][1:]) - 1
            made += source[place:begin]
            place = begin
        elif text[0] in " -":
            assert source[place] == text[1:]
            place += 1
        if text[0] in " +":
            made.append(text[1:])
    if one != other:
        assert made + source[place:] == after


def test_a_difference_that_lines_do_not_show() -> None:
    """Where only the last line end differs, or far too much, that is said."""
    assert list(difference(kept(b"a\n"), kept(b"a"))) == [
        b"... only one of them ends its last line"
    ]
    many = b"".join(b"%d\n" % number for number in range(MOST_LINES + 1))
    (told,) = difference(kept(b"x\n"), kept(many))
    assert told == b"... too much differs to be shown: 2001 lines for 1"
    cut = list(difference(kept(b"a\n" * 50, most=20), kept(b"a\n" * 49 + b"b\n", most=20)))
    assert cut[0] == b"... only what is kept of long output is compared"
    assert cut[-2:] == [b"-a", b"+b"]


def shown(
    output: bytes, *, terminal: bool, diff: bytes | None = None, most: int = 1 << 20
) -> bytes:
    """Return what becomes of a block with this output; a terminal is 80 columns wide."""
    base = None if diff is None else Block(nodes=(node(0),), output=kept(diff), whole=True)
    block = Block(nodes=(node(1),), output=kept(output, most), whole=True)
    return b"".join(Page(Stream(terminal=terminal), "").block(block, base))


@settings(deadline=None, max_examples=10)
@example([text[:300] for text in ESCAPES.values()])
@given(
    st.lists(
        st.sampled_from([text[:300] for text in ESCAPES.values()]) | st.binary(max_size=60),
        max_size=4,
    )
)
@pytest.mark.parametrize("diff", [None, b"one\ntwo\n"])
def test_only_names_begin_a_row(diff: bytes | None, lines: list[bytes]) -> None:
    """Whatever nodes print, in a block or a difference only the names are not indented."""
    text = shown(b"\n".join(lines), terminal=True, diff=diff).decode()
    screen = pyte.Screen(80, 150)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    rows = [row for row in screen.display if row.strip()]
    assert rows[0].startswith("worker-1 (1)")
    assert all(row.startswith("  ") for row in rows[1:])
    assert (screen.title, screen.cursor.hidden) == ("", False)
    piped = shown(b"\n".join(lines), terminal=False, diff=diff).split(b"\n")
    assert all(line.startswith(b"  ") for line in piped[1:-1])


def test_a_pipe_gets_the_bytes_of_a_block() -> None:
    """Behind their indent the lines of a block are what the nodes printed."""
    output = b"\n".join(ESCAPES.values())
    expected = b"".join(b"  %b\n" % line for line in output.removesuffix(b"\n").split(b"\n"))
    assert shown(output, terminal=False, most=1 << 22) == b"worker-1 (1):\n" + expected


def test_what_is_left_out_is_said() -> None:
    """A long output shows both ends, and how much is missing between, in our words."""
    text = shown(b"first\n" + b"x" * 5000 + b"\nlast\n", terminal=False, most=40)
    assert text.startswith(b"worker-1 (1):\n  first\n  xxx")
    assert b"\n... 4972 bytes are left out here; --output-dir keeps all\n" in text
    assert text.endswith(b"\n  last\n")


def test_what_can_be_seen_is_not_said_twice(voltron: Path) -> None:
    """On a terminal blocks follow only lines that are more than the screen holds."""
    words = [PROGRAM, "execute", "voltron", "-e", "echo one; echo two"]
    with Terminal(words) as terminal:
        assert terminal.to_the_end() == 0
    assert "(3):" not in terminal.shown
    with Terminal(words, rows=8) as terminal:
        assert terminal.to_the_end() == 0
    assert terminal.rows[-4:] == ["master-0,worker-[0-1] (3):", "  one", "  two", "3 nodes: 3 ok"]
    with Terminal([*words, "--no-gather"], rows=8) as terminal:
        assert terminal.to_the_end() == 0
    assert terminal.rows[-2] in {f"{name}: two" for name in ("master-0", "worker-0", "worker-1")}
    with Terminal([*words[:-1], "echo $TINYCLOUD_NODE; seq 5"], rows=8) as terminal:
        assert terminal.to_the_end() == 0
    assert "(1):" not in terminal.shown
    assert voltron.exists()


def test_ways_that_exclude_each_other(cli: Cli, voltron: Path) -> None:
    """Two ways to show one output are a mistake, and nothing is run."""
    for ways in (["--json", "--events"], ["--json", "--gather"], ["--no-gather", "--diff"]):
        outcome = cli("execute", "voltron", "-e", "true", *ways)
        assert outcome.refused() == "choose one of them"
        assert all(way in outcome.err for way in ways)
    assert voltron.exists()
