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
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
            if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
                pytest.skip("needs root, and mounts")
            mounts.callback(subprocess.run, ["umount", "-l", folder], check=True)
            return folder

        yield mount
