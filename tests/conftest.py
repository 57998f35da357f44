"""What all tests share: a state folder of their own, and the real programs to test against."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

# A shell that runs the tests in the background may have them ignore Ctrl-C, and so all that
# they start, which is right of both: but then nothing is left to be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of this test; it does not exist yet."""
    folder = tmp_path / "state"
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program that a test needs; where it is missing the test is skipped, but not on CI."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if path is None:
            message = f"needs {name}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find
