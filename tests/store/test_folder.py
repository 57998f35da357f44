"""Private folders and files."""

import errno
import os
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinycloud.errors import InvalidInput, MachineError
from tinycloud.store.folder import (
    FILE_LIMIT,
    SHORTAGES,
    check_folder,
    decoded,
    encoded,
    failure,
    make_folder,
    read_file,
    state_folder,
    write_file,
)

Spoil = Callable[[Path], object]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

# Tells the mode of every file that gets its name.
SPY = """
import os, stat, sys
from pathlib import Path
from tinycloud.store.folder import write_file
os.umask(0)
def told(event, arguments):
    if event == "os.rename":
        print(oct(stat.S_IMODE(os.stat(arguments[0]).st_mode)))
sys.addaudithook(told)
write_file(Path(sys.argv[1]), b"x")
"""


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let new files be open to all, unless who makes them says otherwise."""
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("open_umask")
def test_folders_are_private_from_creation(tmp_path: Path) -> None:
    """A folder that we make is 0700, and so is every one above it that was missing."""
    make_folder(tmp_path / "a" / "b" / "c")
    assert {mode(tmp_path / "a"), mode(tmp_path / "a/b"), mode(tmp_path / "a/b/c")} == {0o700}


@pytest.mark.usefixtures("open_umask")
def test_folders_that_exist_keep_their_mode(tmp_path: Path) -> None:
    """A folder that is the user's own is left as it is."""
    (tmp_path / "mine").mkdir(mode=0o755)
    make_folder(tmp_path / "mine")
    assert mode(tmp_path / "mine") == 0o755


def test_files_are_private_from_creation(tmp_path: Path) -> None:
    """A file is never open to others, not even before it has its name."""
    command = [sys.executable, "-c", SPY, str(tmp_path / "file")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told == "0o600\n"
    assert mode(tmp_path / "file") == 0o600


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Who has the old file open goes on reading the old one; the new one has a name of its own."""
    path = tmp_path / "file"
    write_file(path, b"old")
    with path.open("rb") as opened:
        write_file(path, b"new", durable=False)
        assert opened.read() == b"old"
    assert read_file(path) == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """Where there is no room the old file stays, nothing half-made does, and the cause is told."""
    path = tmp_path / "file"
    write_file(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(MachineError) as caught:
            write_file(path, b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.fix == SHORTAGES[errno.EFBIG]
    assert read_file(path) == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_missing_is_none(tmp_path: Path) -> None:
    """A file that does not exist is None, and a folder that does not exist is no error."""
    assert read_file(tmp_path / "file") is None
    assert check_folder(tmp_path / "folder") is False
    (tmp_path / "file").touch()
    assert check_folder(tmp_path / "file" / "folder") is False


def _give_away(path: Path) -> None:
    os.chown(path, 12345, 12345)


def _symlink(target: str) -> Spoil:
    def spoil(path: Path) -> None:
        path.rmdir()
        path.symlink_to(target)

    return spoil


def _to_file(path: Path) -> None:
    path.rmdir()
    path.touch()


BAD_FOLDERS: list[tuple[str, Spoil, str]] = [
    ("symlink", _symlink("/"), "it is a symlink to /"),
    ("dangling", _symlink("/none"), "it is a symlink to /none"),
    ("file", _to_file, "it is not a folder"),
    ("group", lambda p: p.chmod(0o770), "others may write to it"),
    ("world", lambda p: p.chmod(0o707), "others may write to it"),
    ("shared", lambda p: p.chmod(0o1777), "others may write to it"),
    ("unreadable", lambda p: p.chmod(0o300), "it can't be read"),
    ("unsearchable", lambda p: p.chmod(0o600), "it can't be read"),
]


@pytest.mark.parametrize(("spoil", "cause"), [b[1:] for b in BAD_FOLDERS], ids=lambda b: str(b)[:9])
def test_folders_that_cannot_be_trusted_are_refused(
    tmp_path: Path, spoil: Spoil, cause: str
) -> None:
    """A folder where others could meddle is neither read nor written, and stays as it is."""
    path = tmp_path / "folder"
    path.mkdir(mode=0o700)
    spoil(path)
    before = path.lstat()
    for use in (check_folder, make_folder):
        with pytest.raises(InvalidInput) as caught:
            use(path)
        assert caught.value.cause == cause
        assert caught.value.fix
    assert path.lstat() == before


@needs_root
def test_the_folders_of_others_are_refused(tmp_path: Path) -> None:
    """A folder, and a file, that belongs to another user is not used."""
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir(mode=0o700)
    write_file(file, b"x")
    for path in (folder, file):
        _give_away(path)
        with pytest.raises(InvalidInput, match="it belongs to another user"):
            check_folder(path) if path is folder else read_file(path)


def test_a_read_only_folder_can_be_read_and_not_made(tmp_path: Path) -> None:
    """A folder without write permission may be looked at; who wants to write is told what helps."""
    path = tmp_path / "it's here"
    path.mkdir(mode=0o500)
    assert check_folder(path)
    with pytest.raises(InvalidInput, match="it is read-only") as caught:
        make_folder(path)
    subprocess.run(caught.value.fix, shell=True, check=True)
    make_folder(path)


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o300, 0o000])
def test_the_remedy_for_wrong_permissions_helps(tmp_path: Path, bits: int) -> None:
    """The command that the error gives makes the folder usable."""
    path = tmp_path / "a folder; with 'odd' name"
    path.mkdir()
    path.chmod(bits)
    with pytest.raises(InvalidInput) as caught:
        make_folder(path)
    subprocess.run(caught.value.fix, shell=True, check=True)
    make_folder(path)


def test_a_folder_that_all_share_is_not_to_be_closed(tmp_path: Path) -> None:
    """Nobody is told to `chmod go-w /tmp`."""
    tmp_path.chmod(0o1777)
    with pytest.raises(InvalidInput) as caught:
        check_folder(tmp_path)
    assert "chmod" not in caught.value.fix
    assert "TINYCLOUD_STATE_DIR" in caught.value.fix


def _make_bad(path: Path, kind: str, other: Path) -> None:
    if kind == "symlink":
        path.symlink_to(other)
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        write_file(path, b"x")
        path.chmod(0o620 if kind == "open" else 0o600)
        os.truncate(path, FILE_LIMIT + 1 if kind == "large" else 1)


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo", "open", "large"])
def test_files_that_cannot_be_trusted_are_refused(tmp_path: Path, kind: str) -> None:
    """Only a plain file of a sensible size that we alone can have written is read."""
    path, other = tmp_path / "file", tmp_path / "other"
    write_file(other, b"secret")
    _make_bad(path, kind, other)
    with pytest.raises(InvalidInput, match=re.escape(f"unusable state: {path} (")) as caught:
        read_file(path)
    assert caught.value.fix
    assert read_file(other) == b"secret"


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """What is fine for a plain file is not for a key, and the remedy mends it."""
    path = tmp_path / "key"
    write_file(path, b"x")
    path.chmod(0o644)
    assert read_file(path) == b"x"
    with pytest.raises(InvalidInput, match="it is open to others") as caught:
        read_file(path, secret=True)
    subprocess.run(caught.value.fix, shell=True, check=True)
    assert read_file(path, secret=True) == b"x"


def test_what_the_machine_lacks_is_no_bad_input(tmp_path: Path) -> None:
    """Too many open files is this machine's trouble; a name that is too long is the user's."""
    assert isinstance(failure(tmp_path, OSError(errno.EMFILE, "x")), MachineError)
    with pytest.raises(InvalidInput, match="File name too long"):
        check_folder(tmp_path / ("x" * 300))


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    """Where no folder can be, the user is told to take another place."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput) as caught:
        make_folder(tmp_path / "file" / "folder")
    assert "TINYCLOUD_STATE_DIR" in caught.value.fix
    assert (tmp_path / "file").read_bytes() == b""


def test_the_state_folder_is_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TINYCLOUD_STATE_DIR wins over XDG_STATE_HOME, and a relative one is of this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", "here")
    assert state_folder() == tmp_path / "here"
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert state_folder() == tmp_path / "xdg" / "tinycloud"


@pytest.mark.parametrize("name", ["web", "Web", "WEB", "a.B-c_D", "x" * 63])
def test_names_that_differ_in_case_have_folders_that_differ_more(name: str) -> None:
    """A folder's name holds no capitals, and gives the name back."""
    assert encoded(name) == encoded(name).lower()
    assert decoded(encoded(name)) == name
    assert len({encoded("web"), encoded("Web"), encoded("wEb")}) == 3
