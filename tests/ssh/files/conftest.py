"""What tests of files share."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

Mount = Callable[[str, str], Path]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mount]:
    """Mount a file system in memory at a place, with some options."""
    with ExitStack() as mounts:

        def mount(place: str, options: str) -> Path:
            folder = tmp_path / place
            folder.mkdir(parents=True, exist_ok=True)
            mounted = _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
            if os.geteuid() != 0 or not mounted:
                pytest.skip("needs root, and mounts")
            mounts.callback(_run, "umount", "-l", str(folder))
            return folder

        yield mount


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0
