"""The timer that ends a node: its units are what systemd takes, and say when it is over."""

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tinycloud.drivers.aws import lifetime

DEADLINE = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)
"""When the clock of Unix says 2,000,000,000."""


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of units, where scripts find no systemd but one that notes what it is told."""
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setattr(lifetime, "_ARM", lifetime._ARM.replace(lifetime.FOLDER, str(folder)))
    monkeypatch.setattr(lifetime, "_DISARM", lifetime._DISARM.replace(lifetime.FOLDER, str(folder)))
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return folder


def run(script: str, folder: Path) -> list[str]:
    """Run a script; return what it told systemd."""
    told = folder.parent / "told"
    told.unlink(missing_ok=True)
    subprocess.run(["sh", "-eu", "-c", script], check=True)
    return told.read_text().splitlines()


def test_systemd_takes_the_units(units: Path, program: Callable[[str], str]) -> None:
    """They are valid, and the deadline is a date that systemd knows."""
    told = run(lifetime.arming(DEADLINE), units)
    assert told == ["daemon-reload", "--no-block restart tinycloud-ttl.timer"]
    verify = [program("systemd-analyze"), "verify", str(units / "tinycloud-ttl.timer")]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "tinycloud-ttl" in line] == []
    assert (units / "timers.target.wants" / "tinycloud-ttl.timer").resolve().exists()
    (line,) = [
        line for line in (units / "tinycloud-ttl.timer").read_text().splitlines() if "Cal" in line
    ]
    calendar = [program("systemd-analyze"), "calendar", line.partition("=")[2]]
    said = subprocess.run(calendar, capture_output=True, text=True, check=True).stdout
    assert "Next elapse: Wed 2033-05-18 03:33:20 UTC" in said


@pytest.mark.parametrize(("seconds", "over"), [(-1, True), (60, False)])
def test_the_service_looks_at_the_clock(units: Path, seconds: int, over: bool) -> None:
    """It powers off when the time is over, and not when it is started before that."""
    run(lifetime.arming(datetime.now(UTC) + timedelta(seconds=seconds)), units)
    text = (units / "tinycloud-ttl.service").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    command = line.partition("'")[2].rstrip("'").replace("$$", "$").replace("%%", "%")
    assert run(f"systemctl looks; {command}", units)[1:] == (["--no-block poweroff"] * over)


def test_a_later_deadline_replaces_the_first(units: Path) -> None:
    """There is one timer, whose time is the last one given, in whatever zone."""
    run(lifetime.arming(DEADLINE), units)
    run(lifetime.arming(DEADLINE.astimezone(timezone(timedelta(hours=9)))), units)
    again = (units / "tinycloud-ttl.timer").read_text()
    assert "OnCalendar=2033-05-18 03:33:20 UTC" in again
    assert "-lt 2000000000" in (units / "tinycloud-ttl.service").read_text()


def test_nothing_is_left_of_a_life_without_end(units: Path) -> None:
    """No deadline removes the timer; where there was none that is no error."""
    run(lifetime.arming(DEADLINE), units)
    for _ in range(2):
        run(lifetime.arming(None), units)
        assert [path for path in units.rglob("*") if not path.is_dir()] == []


def test_the_tag_says_when() -> None:
    """A deadline written into a tag is read back; anything else is no deadline."""
    assert lifetime.expiry(DEADLINE) == "2033-05-18T03:33:20+00:00"
    assert lifetime.parsed_expiry(lifetime.expiry(DEADLINE)) == DEADLINE
    assert lifetime.parsed_expiry("2033-05-18T03:33:20") == DEADLINE
    for odd in (None, "", "none", "tomorrow", lifetime.expiry(None)):
        assert lifetime.parsed_expiry(odd) is None


def test_the_units_are_small() -> None:
    """They leave room in user data, of which EC2 takes 16,384 bytes."""
    assert len(lifetime.arming(DEADLINE)) < 1_500
    assert shutil.which("sh")
