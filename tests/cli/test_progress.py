"""How a launch is shown: bars on a terminal, plain lines elsewhere."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinycloud.cli.progress import Watch
from tinycloud.cloud import Cloud, Stage, Step
from tinycloud.driver import Group
from tinycloud.drivers.local import Local

from .running import PROGRAM, Gate, Terminal, at_work_in, run


def watch(workers: int = 2) -> Watch:
    """Return the watch over a launch of one master and some workers."""
    driver = Local()
    return Watch(Cloud([Group("master", 1, driver), Group("worker", workers, driver)], name="x"))


def timeless(text: str) -> list[str]:
    """Return lines without their times."""
    return re.sub(r"\d+\.\d s", "T", text).splitlines()


def test_each_stage_is_a_line_once_all_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a stage is told of when every node has come to it."""
    with watch() as seen:
        for stage in (Stage.STARTED, Stage.CONNECTED, Stage.READY):
            for name in ("worker-1", "master-0"):
                seen.report(Step(stage, name))
            assert f"{stage}:" not in capsys.readouterr().err
            seen.report(Step(stage, "worker-0"))
            assert timeless(capsys.readouterr().err) == [f"{stage}: 3 of 3 (T)"]
    assert capsys.readouterr().err == ""


def test_who_fails_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure names the node once, and the stages that were not full are told at the end."""
    with watch() as seen:
        for name in ("master-0", "worker-0", "worker-1"):
            seen.report(Step(Stage.STARTED, name))
        seen.report(Step(Stage.CONNECTED, "master-0"))
        capsys.readouterr()
        seen.report(Step(Stage.FAILED, "worker-0", "it is a \x1b[31mlion"))
        seen.report(Step(Stage.FAILED, "worker-1", "lost worker-1"))
        assert capsys.readouterr().err == "worker-0: it is a \\x1b[31mlion\nlost worker-1\n"
        for name in ("master-0", "worker-1", "worker-0"):
            seen.report(Step(Stage.REMOVED, name))
        assert seen.may_remain == ""
    assert timeless(capsys.readouterr().err) == [
        "connected: 1 of 3 (T)",
        "destroyed again: master-0,worker-[0-1]",
    ]


def test_what_was_not_seen_to_go_may_remain() -> None:
    """Until it is known to be removed, a node may remain: unknown is never gone."""
    seen = watch(3)
    assert seen.may_remain == "master-0,worker-[0-2]"
    seen.report(Step(Stage.STARTED, "worker-1"))
    seen.report(Step(Stage.REMOVED, "worker-1"))
    assert seen.may_remain == "master-0,worker-[0,2]"


@pytest.fixture
def launch(tmp_path: Path, state: Path, gate: Gate) -> Iterator[Callable[..., Terminal]]:
    """Launch three nodes on a terminal; one passes a gate, and another may fail."""
    setup = tmp_path / "setup"

    def begin(failing: str = "none", **environment: str) -> Terminal:
        setup.write_text(
            f"case $TINYCLOUD_NODE in worker-0) {gate.script};; "
            f"{failing}) echo '[red]no' >&2; exit 4;; esac\n"
        )
        words = ["launch", "voltron", "-n", "2", "--setup", str(setup)]
        return Terminal([PROGRAM, *words], columns=160, environment=environment)

    yield begin
    run("destroy", "voltron")
    assert not state.exists()
    assert at_work_in(tmp_path) == []


BAR = "━" * 24


def test_bars_on_a_terminal(launch: Callable[..., Terminal], gate: Gate) -> None:
    """Each stage has a bar, with its count and time, and tells whom it waits for."""
    with launch() as terminal:
        gate.reached()
        terminal.until(f"connected {BAR} 3/3")
        terminal.until("2/3")
        terminal.until("waiting for worker-0")
        rows = timeless(terminal.shown)
        assert rows[0].startswith("driver: local (")
        assert rows[1:3] == [f"started   {BAR} 3/3 T", f"connected {BAR} 3/3 T"]
        assert re.fullmatch(r"ready     [━╸╺ ]+ 2/3 T waiting for worker-0", rows[3])
        gate.open()
        assert terminal.to_the_end() == 0
        rows = timeless(terminal.shown)
        assert rows[3] == f"ready     {BAR} 3/3 T"
        assert [row.split()[0] for row in rows[4:]] == ["NODE", "master-0", "worker-0", "worker-1"]
    assert not terminal.screen.cursor.hidden


def test_bars_of_a_launch_that_fails(launch: Callable[..., Terminal], gate: Gate) -> None:
    """What went wrong stands above the bars as it happened; below is what became of it all."""
    with launch(failing="worker-1") as terminal:
        gate.reached()
        terminal.until("1 failed, waiting for worker-0")
        gate.open()
        assert terminal.to_the_end() == 1
    rows = timeless(terminal.shown)
    assert rows[1] == "the setup script failed on worker-1 (exit status 4: [red]no)"
    assert re.fullmatch(r"ready     [━╸╺ ]+ 2/3 T 1 failed", rows[4])
    assert rows[5] == "destroyed again: master-0,worker-[0-1]"
    assert [row.split(":")[0] for row in rows[6:]] == ["error", "fix"]
    assert not terminal.screen.cursor.hidden


def test_no_bars_where_they_are_not_wanted(launch: Callable[..., Terminal], gate: Gate) -> None:
    """A dumb terminal gets plain lines, and no escape sequence."""
    with launch(TERM="dumb") as terminal:
        gate.reached()
        gate.open()
        assert terminal.to_the_end() == 0
    assert b"\x1b" not in terminal.raw
    assert "ready: 3 of 3 (T)" in timeless(terminal.shown)


def test_bars_without_colour(launch: Callable[..., Terminal], gate: Gate) -> None:
    """With NO_COLOR bars are drawn, and nothing is coloured."""
    with launch(NO_COLOR="1") as terminal:
        gate.reached()
        gate.open()
        assert terminal.to_the_end() == 0
    assert re.findall(rb"\x1b\[[0-9;]*[34]\d[0-9;]*m", terminal.raw) == []
    assert f"ready     {BAR} 3/3 T" in timeless(terminal.shown)
