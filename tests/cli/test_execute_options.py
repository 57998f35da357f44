"""The options of `execute` that decide what a command reads, who runs it, and when it ends."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from .running import PATIENCE, PROGRAM, Cli, Gate, Outcome, Terminal, at_work_in, left_in, started

pytestmark = pytest.mark.usefixtures("voltron")


def piped(data: bytes, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the program with this on its standard input."""
    command = [PROGRAM, "execute", "voltron", *words]
    return subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=False)


def test_all_nodes_read_what_we_read(tmp_path: Path) -> None:
    """Every node gets every byte, of a pipe as of a file, and nothing of an empty one."""
    data = bytes(range(256)) * 20_000
    words = ("--stdin", "-q", "-e", "wc -c | tr -d ' '")
    (tmp_path / "data").write_bytes(data)
    with (tmp_path / "data").open("rb") as file:
        command = [PROGRAM, "execute", "voltron", *words]
        plain = subprocess.run(command, stdin=file, capture_output=True, timeout=PATIENCE)
    for done in (plain, piped(data, *words)):
        expected = {b"%s: %d" % (n, len(data)) for n in (b"master-0", b"worker-0", b"worker-1")}
        assert set(done.stdout.splitlines()) == expected, done.stderr
    assert piped(b"", "master", "--stdin", "-e", "cat; echo end").stdout == b"master-0: end\n"


def test_a_terminal_is_read_line_by_line() -> None:
    """What is typed reaches the nodes with each line, and Ctrl-D is its end."""
    words = ["execute", "voltron", "worker", "--stdin", "-e", "while read l; do echo got $l; done"]
    with Terminal([PROGRAM, *words]) as terminal:
        terminal.type("one\n")
        terminal.until("worker-1: got one")
        terminal.type("two\n")
        terminal.until("worker-0: got two")
        terminal.type("\x04")
        assert terminal.to_the_end() == 0


def test_a_terminal_that_is_silent_holds_nobody() -> None:
    """When the command has ended, nobody waits for what might still be typed."""
    with Terminal([PROGRAM, "execute", "voltron", "--stdin", "-e", "echo done"]) as terminal:
        assert terminal.to_the_end() == 0
        assert terminal.shown.count(": done") == 3


def test_batches(cli: Cli) -> None:
    """With --serial nodes that come after a failure are skipped; with --max-fail they are not."""
    command = "test $TINYCLOUD_NODE != worker-0"
    outcome = cli("execute", "voltron", "--serial", "1,1,100%", "-e", command)
    assert outcome.code == 1
    assert outcome.lines == [
        "error: 1 of 3 nodes failed"
        " (worker-0: exit status 1; worker-1: not tried: worker-0 failed)",
        "fix: see what it printed",
        "3 nodes: 1 ok, 1 failed, 1 skipped",
    ]
    words = ("--serial", "1", "--max-fail", "34%", "-e", command)
    assert cli("execute", "voltron", *words).lines[-1] == "3 nodes: 2 ok, 1 failed"


def test_fail_fast(cli: Cli) -> None:
    """The first failure ends the command on all nodes, long before it would have ended."""
    command = "test $TINYCLOUD_NODE = worker-0 && exit 3; sleep 1000"
    outcome = cli("execute", "voltron", "--fail-fast", "-e", command)
    assert (outcome.code, outcome.out) == (1, "")
    assert "worker-1: ended early: worker-0 failed" in outcome.lines[0]
    assert outcome.lines[-1] == "3 nodes: 1 failed, 2 signalled"


@pytest.mark.parametrize(
    "words",
    [
        ("--max-fail", "some"),
        ("--max-fail", "200%"),
        ("--serial", "0"),
        ("--serial", "1,"),
        ("--stdin", "--limit", "1"),
        ("--stdin", "--serial", "1"),
    ],
)
def test_what_makes_no_sense(cli: Cli, words: tuple[str, ...]) -> None:
    """It is refused before any node runs anything."""
    cli("execute", "voltron", "-e", "true", *words).refused()


def test_root_runs_it(cli: Cli, program: Callable[[str], str]) -> None:
    """With --sudo the command runs as root, all of it."""
    program("sudo")
    if os.geteuid() != 0:
        pytest.skip("whether other users may is the machine's business")
    outcome = cli("execute", "voltron", "master", "--sudo", "-e", "id -un; id -un")
    assert outcome.out == "master-0: root\nmaster-0: root\n"


def test_a_script_is_run_by_its_interpreter(cli: Cli, tmp_path: Path) -> None:
    """A file given to -e may be longer than any command line, and in any language."""
    script = tmp_path / "script"
    script.write_text("#!/usr/bin/env python3\n" + "# x\n" * 50_000 + "print(6 * 7)\n")
    assert cli("execute", "voltron", "master", "-e", str(script)).out == "master-0: 42\n"
    script.write_text("")
    cli("execute", "voltron", "-e", str(script)).refused()


def test_a_program_is_no_script(cli: Cli) -> None:
    """Of a program its path is the command, to be run where it is on the nodes."""
    assert cli("execute", "voltron", "master", "-e", "/bin/pwd").code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_a_program_that_is_ended_ends_its_command(
    gate: Gate, tmp_path: Path, number: signal.Signals
) -> None:
    """Ended in whatever way, also killed, it leaves nothing of its command on any node."""
    command = f"cd '{tmp_path}'; trap '' TERM; (sleep 1000 & sleep 1000) & {gate.script}"
    with started("execute", "voltron", "-e", command) as process:
        gate.reached(3)
        assert len(at_work_in(tmp_path)) >= 3
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=PATIENCE)
        assert left_in(tmp_path, within=5) == []
    if number != signal.SIGKILL:
        outcome = Outcome(process.returncode, out, err)
        assert outcome.code == 128 + number
        assert outcome.lines[1:3] == ["3 nodes: 3 signalled", "stopped on 3"]


def test_where_an_end_is_not_confirmed_is_said(gate: Gate, tmp_path: Path) -> None:
    """Of a node that does not answer any more, it is said that the command may still run there."""
    command = f"cd '{tmp_path}'; {gate.script}"
    with started("execute", "voltron", "-e", command) as process:
        gate.reached(3)
        frozen = psutil.Process(_shell_of(tmp_path, "worker-1").pid).parent()
        assert frozen is not None
        frozen.suspend()
        try:
            os.kill(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            frozen.resume()
    assert "stopped on 2, not confirmed on 1: worker-1" in err.splitlines()
    assert left_in(tmp_path) == []


def _shell_of(folder: Path, node: str) -> psutil.Process:
    """Return a node's process that is at work in this folder."""
    for process in at_work_in(folder):
        if process.environ().get("TINYCLOUD_NODE") == node:
            return process
    raise LookupError(node)
