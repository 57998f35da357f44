"""The command line killed while real machines come up, and take a host key of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import mortal
import pytest

from .commands import LAUNCH, NAME, PATIENCE, done
from .world import World

LAUNCHING = (*LAUNCH, "-n", "0")


def launch_killed(at: int, tmp_path: Path) -> int:
    """Launch, killed before the Nth change to the world; return 0, or how many there were."""
    count = tmp_path / "changes"
    count.write_text("0")
    ended = subprocess.run(
        [sys.executable, mortal.__file__, str(at), str(count), *LAUNCHING],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    total = int(count.read_text())
    assert ended.returncode == (0 if total else -signal.SIGKILL), ended.stderr
    return total


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "points", [2, pytest.param(40, marks=pytest.mark.exhaustive)], ids=["some", "many"]
)
def test_a_launch_killed_at_any_point_can_be_completed(
    cloud_of_machines: World, points: int, state: Path, tmp_path: Path
) -> None:
    """However far the exchange of keys has come, launch gets in, and the machine is the same."""
    total = launch_killed(sys.maxsize, tmp_path)
    done("destroy", NAME)
    for number in range(points):
        launch_killed(1 + total // 2 + (total // 2) * number // points, tmp_path)
        before = cloud_of_machines.instances()
        done(*LAUNCHING)
        assert len(cloud_of_machines.instances()) == 1
        assert set(before) <= set(cloud_of_machines.instances())
        assert done("execute", NAME, "-e", "echo up") == "master-0: up\n"
        done("destroy", NAME)
        assert cloud_of_machines.left() == []
        assert not state.exists()
