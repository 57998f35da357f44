"""One process at a time."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinycloud.errors import InvalidInput
from tinycloud.store.lock import Locked, locked

from .children import child, said

HOLDER = """
import sys
from pathlib import Path
from tinycloud.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
print("free", flush=True)
sys.stdin.readline()
"""

# Counts in a file that is only right if nobody else is at it; every holder deletes the lock.
CROWD = """
import os, sys
from pathlib import Path
from tinycloud.store.lock import Locked, locked
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
count = folder.parent / "count"
while rounds:
    try:
        folder.mkdir(exist_ok=True)
        with locked(folder / "lock"):
            number = int(count.read_text())
            count.write_text(str(number + 1))
            (folder / "lock").unlink()
            rounds -= 1
    except (Locked, FileNotFoundError, FileExistsError):
        continue
    try:
        folder.rmdir()
    except OSError:
        pass
"""


def test_a_lock_is_held_by_one_and_names_it(tmp_path: Path) -> None:
    """While a process holds the lock another is told its pid; when it lets go the lock is free."""
    path = tmp_path / "lock"
    with child(HOLDER, str(path)) as holder:
        assert said(holder) == "held"
        with pytest.raises(Locked) as caught, locked(path):
            pytest.fail("held twice")
        assert caught.value.pid == holder.pid
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert said(holder) == "free"
        with locked(path):
            assert path.read_text() == str(os.getpid())


def test_a_lock_does_not_outlive_its_holder(tmp_path: Path) -> None:
    """A holder that is killed has let go."""
    path = tmp_path / "lock"
    with child(HOLDER, str(path)) as holder:
        assert said(holder) == "held"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with locked(path):
            assert path.read_text() == str(os.getpid())


def test_a_free_lock_names_nobody(tmp_path: Path) -> None:
    """Who let go is not taken for the holder by who comes later."""
    path = tmp_path / "lock"
    with locked(path):
        assert path.read_text() == str(os.getpid())
        assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == ""


def test_a_holder_may_delete_the_lock(tmp_path: Path) -> None:
    """A deleted lock guards nothing: the next one is a new file."""
    path = tmp_path / "lock"
    with locked(path):
        path.unlink()
        with locked(path):
            assert path.exists()


def test_many_that_make_and_delete_the_lock_are_never_two_at_once(tmp_path: Path) -> None:
    """However the folder and the lock come and go, no count is lost."""
    (tmp_path / "count").write_text("0")
    crowd = [
        subprocess.Popen([sys.executable, "-c", CROWD, tmp_path / "folder", "60"]) for _ in range(4)
    ]
    assert [process.wait() for process in crowd] == [0, 0, 0, 0]
    assert (tmp_path / "count").read_text() == "240"
    assert not (tmp_path / "folder").exists()


def test_a_lock_in_no_folder_is_no_lock(tmp_path: Path) -> None:
    """Where the folder is gone the caller is told so, and makes it again or does without."""
    with pytest.raises(FileNotFoundError), locked(tmp_path / "folder" / "lock"):
        pytest.fail("held")


@pytest.mark.parametrize("kind", ["symlink", "folder"])
def test_what_is_no_lock_is_refused(tmp_path: Path, kind: str) -> None:
    """A symlink or a folder in place of the lock is an error of ours, and stays."""
    path, other = tmp_path / "lock", tmp_path / "other"
    other.write_text("precious")
    path.symlink_to(other) if kind == "symlink" else path.mkdir()
    with pytest.raises(InvalidInput) as caught, locked(path):
        pytest.fail("held")
    assert caught.value.fix
    assert other.read_text() == "precious"


def test_a_disk_that_is_full_is_no_obstacle(tmp_path: Path) -> None:
    """Where the holder can't write down who it is, it holds the lock all the same."""
    path = tmp_path / "lock"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with locked(path), pytest.raises(Locked) as caught, locked(path):
            pytest.fail("held twice")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.pid == 0
