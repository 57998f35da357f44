"""Ctrl-C and its kin: once is a request that leaves nothing behind, twice is an order."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .running import (
    PATIENCE,
    PROGRAM,
    Cli,
    Gate,
    Outcome,
    Terminal,
    at_work_in,
    await_line,
    left_in,
    run,
    started,
)

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture
def setup(tmp_path: Path, gate: Gate) -> Callable[[str], str]:
    """Make a setup script that waits at the gate, on the nodes that a pattern names."""

    def make(pattern: str) -> str:
        path = tmp_path / "setup"
        path.write_text(f"case $TINYCLOUD_NODE in {pattern}) {gate.script};; esac\n")
        return str(path)

    return make


@pytest.fixture
def nothing_left(tmp_path: Path, state: Path) -> Iterator[None]:
    """See after the test that no file and no process is left of any cluster."""
    yield
    assert not state.exists()
    assert at_work_in(tmp_path) == []


def ending(process: "subprocess.Popen[str]") -> Outcome:
    """Return how a program ended, and what it still had to say."""
    out, err = process.communicate(timeout=PATIENCE)
    return Outcome(process.returncode, out, err)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_launch_that_is_interrupted_leaves_nothing(
    gate: Gate, setup: Callable[[str], str], number: int, code: int
) -> None:
    """What a launch had made is destroyed, and both what happens and the end are told."""
    with started("launch", "voltron", "-n", "2", "--setup", setup("worker-1")) as process:
        gate.reached()
        os.kill(process.pid, number)
        outcome = ending(process)
    assert (outcome.code, outcome.out) == (code, "")
    told = [line for line in outcome.lines if not re.match("[a-z]+: . of 3", line)]
    assert told == [
        "driver: local (the default: neither --driver nor -k was given)",
        "interrupted: destroying what this launch created (once more leaves at once)",
        "destroyed again: master-0,worker-[0-1]",
        f"error: interrupted ({signal.Signals(number).name})",
        "fix: run the same command again",
    ]


def test_an_interrupted_launch_leaves_what_was_there(
    cli: Cli, state: Path, gate: Gate, setup: Callable[[str], str]
) -> None:
    """The nodes that a cluster had go on as if nothing had been, and so do other clusters."""
    assert cli("launch", "lion", "-n", "0").code == 0
    assert cli("launch", "voltron", "-n", "1").code == 0
    assert cli("execute", "voltron", "-e", "echo mine > file").code == 0
    before = cli("list", "voltron", "--json").out, cli("list", "lion", "--json").out
    record = (state / "clusters" / "voltron" / "record.json").read_bytes()
    with started("launch", "voltron", "-n", "3", "--setup", setup("worker-2")) as process:
        gate.reached()
        os.kill(process.pid, signal.SIGTERM)
        outcome = ending(process)
    assert outcome.code == 143
    assert "destroyed again: worker-[1-2]" in outcome.lines
    assert (cli("list", "voltron", "--json").out, cli("list", "lion", "--json").out) == before
    assert (state / "clusters" / "voltron" / "record.json").read_bytes() == record
    assert cli("execute", "voltron", "-e", "cat file", "-q").out.count("mine") == 2
    assert (cli("destroy", "voltron").code, cli("destroy", "lion").code) == (0, 0)
    assert not state.exists()


@pytest.mark.usefixtures("nothing_left", "odd")
def test_a_launch_is_interrupted_in_its_driver(tmp_path: Path, gate: Gate) -> None:
    """Also while a driver still starts one group, what it started of another is destroyed."""
    with started(
        "launch", "voltron", "--driver", "slow", ODD_TELL=str(tmp_path / "here")
    ) as process:
        gate.reached()
        os.kill(process.pid, signal.SIGINT)
        outcome = ending(process)
    assert outcome.code == 130
    assert outcome.lines[-2] == "error: interrupted (SIGINT)"


@pytest.mark.usefixtures("nothing_left")
def test_a_terminal_that_is_closed_hangs_up(gate: Gate, setup: Callable[[str], str]) -> None:
    """Where the terminal goes away there is nobody to tell, and nothing is left all the same."""
    words = ["launch", "voltron", "-n", "1", "--setup", setup("worker-0")]
    with Terminal([PROGRAM, *words]) as terminal:
        gate.reached()
        terminal.close()
        assert terminal.process.wait(PATIENCE) == 129


@pytest.mark.usefixtures("nothing_left")
def test_to_hang_up_twice_is_no_order(gate: Gate, setup: Callable[[str], str]) -> None:
    """A terminal that closes hangs up more than once: the cleaning goes on."""
    with started("launch", "voltron", "--setup", setup("worker-0")) as process:
        gate.reached()
        os.kill(process.pid, signal.SIGTERM)
        await_line(process, "interrupted: ")
        for _ in range(3):
            os.kill(process.pid, signal.SIGHUP)
        assert ending(process).code == 143


@pytest.mark.usefixtures("nothing_left", "odd")
def test_a_second_signal_leaves_at_once(
    tmp_path: Path, gate: Gate, setup: Callable[[str], str]
) -> None:
    """It is told what may remain, and the command that removes it does."""
    words = ["launch", "voltron", "-n", "1", "--driver", "clinging", "--setup", setup("worker-0")]
    with started(*words, ODD_TELL=str(tmp_path / "here")) as process:
        gate.reached()
        os.kill(process.pid, signal.SIGINT)
        await_line(process, "interrupted: ")
        gate.reached(2)  # its driver hangs, with both groups
        os.kill(process.pid, signal.SIGTERM)
        outcome = ending(process)
    assert (outcome.code, outcome.out) == (143, "")
    assert outcome.lines[-2:] == [
        "error: left at once (these may remain: master-0,worker-0)",
        "fix: tinycloud destroy voltron",
    ]
    names = [node["name"] for node in json.loads(run("list", "voltron", "--json").out)]
    assert names == ["master-0", "worker-0"]
    assert run(*outcome.lines[-1].split()[2:], ODD_FREE="1").code == 0


@pytest.mark.usefixtures("nothing_left", "odd")
def test_the_cursor_comes_back_after_a_second_ctrl_c(
    tmp_path: Path, gate: Gate, setup: Callable[[str], str], state: Path
) -> None:
    """However we leave a terminal, its cursor can be seen, and the last words are the last."""
    words = ["launch", "voltron", "-n", "1", "--driver", "clinging", "--setup", setup("worker-0")]
    environment = {"ODD_TELL": str(tmp_path / "here")}
    with Terminal([PROGRAM, *words], columns=120, environment=environment) as terminal:
        gate.reached()
        terminal.type("\x03")
        terminal.until("interrupted: ")
        gate.reached(2)
        terminal.type("\x03")
        assert terminal.to_the_end() == 130
    assert not terminal.screen.cursor.hidden
    assert terminal.rows[-1] == "fix: tinycloud destroy voltron"
    assert run("destroy", "voltron", ODD_FREE="1").code == 0


@pytest.mark.usefixtures("nothing_left", "odd")
def test_a_second_ctrl_c_in_destroy(tmp_path: Path, gate: Gate) -> None:
    """A destroy that is left at once says how to go on."""
    assert run("launch", "voltron", "-n", "0", "--driver", "clinging").code == 0
    with started("destroy", "voltron", ODD_TELL=str(tmp_path / "here")) as process:
        gate.reached(2)
        os.kill(process.pid, signal.SIGINT)
        outcome = ending(process)
    assert outcome.refused(130) == "run the same command again"
    assert run("destroy", "voltron", ODD_FREE="1").code == 0


@pytest.mark.usefixtures("nothing_left")
def test_a_run_that_is_interrupted_leaves_nothing(gate: Gate) -> None:
    """Neither the cluster nor the command survives."""
    with started("run", "-n", "1", "-e", gate.script) as process:
        gate.reached(2)
        os.kill(process.pid, signal.SIGINT)
        outcome = ending(process)
    assert (outcome.code, outcome.out) == (130, "")
    assert "interrupted: destroying the cluster (once more leaves at once)" in outcome.lines
    assert re.search(r"^2 nodes of 'run-\w{8}' are destroyed$", outcome.err, re.MULTILINE)


@pytest.mark.usefixtures("nothing_left")
def test_a_run_leaves_nothing(cli: Cli) -> None:
    """A cluster for one command is gone when the command is, and its code is the command's."""
    outcome = cli("run", "-n", "1", "-e", "echo $TINYCLOUD_NODE")
    assert outcome.code == 0
    assert sorted(outcome.out.splitlines()) == ["master-0: master-0", "worker-0: worker-0"]
    assert cli("run", "-n", "0", "-e", "exit 3", "--quiet").code == 1


def test_a_command_that_is_interrupted_is_ended(voltron: Path, gate: Gate, tmp_path: Path) -> None:
    """What the nodes had begun to print is shown, and the command does not run on without us."""
    command = f"cd '{tmp_path}'; printf 'whole\\nhalf'; {gate.script}"
    with started("execute", "voltron", "worker", "-e", command) as process:
        gate.reached(2)
        assert process.stdout is not None
        shown = {process.stdout.readline() for _ in range(2)}
        assert shown == {"worker-0: whole\n", "worker-1: whole\n"}
        assert len(at_work_in(tmp_path)) >= 2
        os.kill(process.pid, signal.SIGINT)
        outcome = ending(process)
    assert outcome.code == 130
    assert sorted(outcome.out.splitlines()) == ["worker-0: half", "worker-1: half"]
    assert outcome.lines == [
        "interrupted: ending the command on all nodes (once more leaves at once)",
        "2 nodes: 2 signalled",
        "stopped on 2",
        "error: interrupted (SIGINT)",
        "fix: run the same command again",
    ]
    assert left_in(tmp_path) == []
    assert len(json.loads(run("list", "voltron", "--json").out)) == 3


def test_a_second_ctrl_c_in_execute(voltron: Path, gate: Gate, tmp_path: Path) -> None:
    """Where a command takes its time to end, that it was not waited for is said."""
    command = f"cd '{tmp_path}'; trap '' TERM; {gate.script}; sleep 100"
    with started("execute", "voltron", "master", "-e", command) as process:
        gate.reached()
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("interrupted: ending the command")
        os.kill(process.pid, signal.SIGINT)
        outcome = ending(process)
    assert outcome.code == 130
    assert outcome.lines == [
        "error: left at once (interrupted twice)",
        "fix: run the same command again",
    ]
    assert left_in(tmp_path) == []


@pytest.mark.usefixtures("nothing_left")
def test_a_second_ctrl_c_in_run(cli: Cli, gate: Gate) -> None:
    """What remains is named, and the command that removes it, also while a command is shown."""
    command = f"trap '' TERM; {gate.script}; sleep 100"
    with started("run", "-n", "0", "-e", command) as process:
        gate.reached()
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr is not None
        while not process.stderr.readline().startswith("interrupted: destroying"):
            continue
        os.kill(process.pid, signal.SIGINT)
        outcome = ending(process)
    assert outcome.code == 130
    (known,) = json.loads(cli("list", "--json").out)
    assert outcome.lines == [
        "error: left at once (these may remain: master-0)",
        f"fix: tinycloud destroy {known['name']}",
    ]
    assert cli("destroy", known["name"]).code == 0


@pytest.mark.usefixtures("nothing_left")
def test_of_two_launches_at_once_one_wins(
    cli: Cli, gate: Gate, setup: Callable[[str], str]
) -> None:
    """The other is turned away, and told by whom; the winner does not notice."""
    words = ["launch", "voltron", "-n", "1", "--setup", setup("worker-0"), "--quiet"]
    with started(*words) as one, started(*words) as other:
        gate.reached()
        while (loser := next((p for p in (one, other) if p.poll() is not None), None)) is None:
            continue
        (winner,) = {one, other} - {loser}
        turned_away = ending(loser)
        assert turned_away.refused(3)
        assert f"(process {winner.pid} is at work on it)" in turned_away.err
        gate.open()
        assert ending(winner).code == 0
    assert len(json.loads(cli("list", "voltron", "--json").out)) == 2
    assert cli("destroy", "voltron").code == 0


@pytest.mark.usefixtures("nothing_left")
def test_a_busy_cluster_is_busy_for_all(cli: Cli, gate: Gate, setup: Callable[[str], str]) -> None:
    """While a launch is under way nobody else changes the cluster; who only looks may look."""
    with started("launch", "voltron", "--setup", setup("worker-0"), "--quiet") as process:
        gate.reached()
        for command in ("launch", "stop", "start", "destroy"):
            busy = cli(command, "voltron", "--quiet")
            assert busy.refused(3).startswith("wait until that is done")
            assert f"(process {process.pid} is at work on it)" in busy.err
        assert cli("list", "voltron").code == 0
        gate.open()
        assert ending(process).code == 0
    assert cli("destroy", "voltron").code == 0


@pytest.mark.usefixtures("nothing_left")
def test_a_launch_again(cli: Cli, state: Path) -> None:
    """With fewer workers none is removed, and it is said; without a number none is forgotten."""
    assert cli("launch", "voltron", "-n", "2").code == 0
    before = cli("list", "voltron", "--json").out
    fewer = cli("launch", "voltron", "-n", "1", "--json")
    assert (fewer.code, fewer.out) == (0, before)
    assert fewer.lines[0] == "driver: local (as it was launched before)"
    assert "more than asked for, and kept: worker-1" in fewer.lines
    none = cli("launch", "voltron", "-n", "0", "--json")
    assert (none.code, none.out) == (0, before)
    assert "more than asked for, and kept: worker-[0-1]" in none.lines
    again = cli("launch", "voltron", "--json")
    assert (again.code, again.out) == (0, before)
    assert "ready: 3 of 3 (" in again.err
    assert "kept" not in again.err
    assert cli("destroy", "voltron").code == 0
