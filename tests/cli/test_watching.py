"""What is seen of a running command: how far it is, who is left, and that nothing waits for us."""

import asyncio
import os
import re
import signal
import threading
from pathlib import Path

import psutil
import pytest

from tinycloud.cli.outlet import ROOM, Outlet
from tinycloud.cli.tally import Tally
from tinycloud.cloud import Stage, Step
from tinycloud.errors import Unreachable
from tinycloud.node import Node, Status
from tinycloud.result import Result, State

from .running import PATIENCE, PROGRAM, Gate, Terminal, at_work_in, await_line, started
from .test_hostile import ESCAPES


def waiting(gate: Gate, command: str = "true") -> list[str]:
    """Return the words of a command that worker-1 waits in, after it did something."""
    script = f"[ $TINYCLOUD_NODE != worker-1 ] || {{ {command}; {gate.script}; }}"
    return ["execute", "voltron", "-e", script]


def test_the_last_row_says_how_far_it_is(voltron: Path, gate: Gate) -> None:
    """It counts who is connected, running and done, names the slowest, and goes at the end."""
    with Terminal([PROGRAM, *waiting(gate)]) as terminal:
        gate.reached()
        terminal.until("connected 3/3 · running 1 · ok 2 · slowest worker-1 ")
        assert terminal.rows[-1].startswith("connected ")
        gate.open()
        assert terminal.to_the_end() == 0
    assert terminal.rows == ["3 nodes: 3 ok"]
    assert not terminal.screen.cursor.hidden
    assert voltron.exists()


def test_enter_lists_who_is_left(voltron: Path, gate: Gate) -> None:
    """Whoever asks on the keyboard is told, above the row that goes on."""
    with Terminal([PROGRAM, *waiting(gate)]) as terminal:
        gate.reached()
        terminal.until("running 1 · ok 2")
        terminal.type("\n")
        terminal.until("running: worker-1")
        terminal.type("\x04")
        gate.open()
        assert terminal.to_the_end() == 0
    assert terminal.rows[-2:] == ["running: worker-1", "3 nodes: 3 ok"]
    assert voltron.exists()


def test_a_signal_lists_who_is_left(voltron: Path, gate: Gate) -> None:
    """Without a terminal SIGUSR1 asks, as often as one likes, and standard output is left alone."""
    with started(*waiting(gate)) as process:
        gate.reached()
        for _ in range(2):
            os.kill(process.pid, signal.SIGUSR1)
            assert re.match(r"connected \d/3 · running \d", await_line(process, "connected"))
            assert re.match("running: .*worker-", await_line(process, "running"))
        gate.open()
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "")
    assert err == "3 nodes: 3 ok\n"
    assert voltron.exists()


def test_in_the_background_the_keyboard_is_not_ours(voltron: Path, gate: Gate) -> None:
    """A command behind `&` is not stopped by the keyboard, and leaves it and the screen alone."""
    line = f'\'{PROGRAM}\' "$@" & read word; echo "word: $word"; wait $!; echo "code: $?"'
    with Terminal(["bash", "-mc", line, "bash", *waiting(gate)]) as terminal:
        gate.reached()
        terminal.type("\n\n")
        terminal.until("word:")
        gate.open()
        assert terminal.to_the_end() == 0
    assert "running" not in terminal.shown
    assert terminal.rows[-1] == "code: 0"
    assert voltron.exists()


@pytest.mark.parametrize(
    ("words", "environment"), [(["--quiet"], {}), ([], {"TERM": "dumb"})], ids=str
)
def test_no_row_where_it_is_not_wanted(
    voltron: Path, gate: Gate, words: list[str], environment: dict[str, str]
) -> None:
    """With --quiet, and on a dumb terminal, nothing is ever drawn that is not to stay."""
    command = [PROGRAM, *waiting(gate, "echo here; sleep 1"), *words]
    with Terminal(command, environment=environment) as terminal:
        gate.reached()
        gate.open()
        assert terminal.to_the_end() == 0
    assert "here" in terminal.shown
    assert b"connected" not in terminal.raw
    assert b"\x1b[K" not in terminal.raw
    assert voltron.exists()


def test_the_row_has_no_colour_and_never_wraps(voltron: Path, gate: Gate) -> None:
    """It is plain text, cut where the terminal ends."""
    command = [PROGRAM, *waiting(gate)]
    with Terminal(command, columns=30, environment={"NO_COLOR": "1"}) as terminal:
        gate.reached()
        terminal.until("connected 3/3 · running 1")
        assert len(terminal.rows) == 1
        gate.open()
        assert terminal.to_the_end() == 0
    assert re.search(rb"\x1b\[[0-9;]*m", terminal.raw) is None
    assert terminal.rows == ["3 nodes: 3 ok"]
    assert voltron.exists()


def test_no_node_poses_as_the_row_or_a_remark(voltron: Path, gate: Gate, tmp_path: Path) -> None:
    """Whatever comes while the row is drawn, rows are a node's own, or ours, and ours go last."""
    fakes = [
        b"connected 9/9 \xc2\xb7 ok 9",
        b"error: none",
        b"\r\x1b[Kconnected 9/9",
        b"9 nodes: ok",
    ]
    hostile = tmp_path / "hostile"
    hostile.write_bytes(b"\n".join([*fakes, *(text[:300] for text in ESCAPES.values())]))
    command = [PROGRAM, *waiting(gate, f"sleep 1; cat '{hostile}'; cat '{hostile}' >&2")]
    with Terminal(command, rows=300) as terminal:
        gate.reached()
        terminal.until("running 1")
        gate.open()
        assert terminal.to_the_end() == 0
    ours = [row for row in terminal.rows if not row.startswith(("worker-1:", " " * 10))]
    assert [row for row in ours if "(3)" not in row] == ["3 nodes: 3 ok"]
    assert (terminal.screen.title, terminal.screen.cursor.hidden) == ("", False)
    assert b"owned\x07" not in terminal.raw
    assert voltron.exists()


@pytest.mark.parametrize("ending", ["timeout", "interrupt"])
def test_who_does_not_read_holds_nothing_up(voltron: Path, tmp_path: Path, ending: str) -> None:
    """While nobody takes our output, time limits and Ctrl-C end the command all the same."""
    folder = tmp_path / "here"
    folder.mkdir()
    command = f"cd '{folder}'; touch begun; yes"
    words = ["--timeout", "2"] if ending == "timeout" else []
    with started("execute", "voltron", "worker", "0", "-e", command, *words) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "worker-0: y\n"
        running = at_work_in(folder)
        assert running
        if ending == "interrupt":
            os.kill(process.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(running, timeout=PATIENCE)
        assert alive == []
        assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        if ending == "timeout":
            await_line(process, "interrupted: ")
            os.kill(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert voltron.exists()


def result(index: int, state: State, exit_status: int | None = None) -> Result:
    """Return how a node ended."""
    node = Node(tag="worker", index=index, id="i", status=Status.RUNNING)
    return Result(node=node, state=state, exit_status=exit_status)


async def test_a_tally_tells_why_nodes_failed() -> None:
    """Each reason is counted, the most frequent first; who is skipped has not failed."""
    tally = Tally()
    for index in range(9):
        tally.report(Step(Stage.PLANNED, f"worker-{index}"))
    assert tally.text() == "connected 0/9"
    assert tally.left() == ["not connected yet: worker-[0-8]"]
    for index in range(4):
        tally.report(Step(Stage.CONNECTED, f"worker-{index}"))
    for index, reason in ((4, "throttled"), (5, "auth"), (6, "auth")):
        error = Unreachable("can't", reason=reason)
        tally.report(Step(Stage.FAILED, f"worker-{index}", "", error))
        await tally.finish(result(index, State.UNREACHABLE))
    await tally.finish(result(0, State.OK, 0))
    await tally.finish(result(1, State.FAILED, 3))
    await tally.finish(result(7, State.SKIPPED))
    await tally.finish(result(8, State.UNTRUSTED))
    assert tally.text() == (
        "connected 4/9 · running 2 · ok 1 · skipped 1 · "
        "failed 5 (auth 2, throttled 1, exited 1, host key 1) · slowest worker-2 0 s"
    )
    assert tally.left() == ["running: worker-[2-3]"]


async def test_an_outlet_keeps_order_and_bounds() -> None:
    """All is written in order, and whoever gives more than fits waits until there is room."""
    written, gate = bytearray(), threading.Event()

    def slow(data: bytes) -> None:
        gate.wait()
        written.extend(data[:1])

    async with Outlet() as outlet:
        await outlet.put(slow, b"a" * (ROOM // 2))
        late = asyncio.ensure_future(outlet.put(slow, b"b" * ROOM))
        done, _ = await asyncio.wait([late], timeout=0.05)
        assert (done, bytes(written), outlet.is_idle) == (set(), b"", False)
        gate.set()
        await late
        outlet.put_nowait(slow, b"c")
        await outlet.flush()
        assert (bytes(written), outlet.is_idle) == (b"abc", True)


async def test_what_can_not_be_written_is_told_and_the_rest_dropped() -> None:
    """The error of a sink is raised to who writes next, also to who waits for room."""
    written, gate = bytearray(), threading.Event()

    def broken(_: bytes) -> None:
        gate.wait()
        raise OSError(28, "no space")

    async with Outlet() as outlet:
        outlet.put_nowait(broken, b"a" * ROOM)
        late = asyncio.ensure_future(outlet.put(written.extend, b"b"))
        await asyncio.wait([late], timeout=0.05)
        gate.set()
        with pytest.raises(OSError, match="no space"):
            await late
        with pytest.raises(OSError, match="no space"):
            await outlet.flush()
    assert written == b""
