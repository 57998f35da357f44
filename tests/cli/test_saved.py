"""`--output-dir`: every byte in private files, and nothing written where it should not be."""

import resource
import subprocess
from pathlib import Path

import pytest

from .running import PROGRAM, Cli, Gate, at_work_in

COMMAND = "cat '{0}'; cat '{0}' '{0}' >&2"


@pytest.fixture
def bytes_of_all_kinds(tmp_path: Path) -> Path:
    """A file with every byte there is, and no line end at its end."""
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 5000)
    return path


@pytest.mark.parametrize("way", [(), ("--json",), ("--gather",), ("--events",)], ids=str)
def test_files_hold_every_byte(
    voltron: Path, bytes_of_all_kinds: Path, tmp_path: Path, way: tuple[str, ...]
) -> None:
    """However output is shown, each node's two files are what it printed, and are private."""
    folder, command = tmp_path / "made" / "here", COMMAND.format(bytes_of_all_kinds)
    words = [PROGRAM, "execute", "voltron", "-e", command, "--output-dir", str(folder), *way]
    subprocess.run(words, capture_output=True, check=True)
    names = ("master-0", "worker-0", "worker-1")
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{ending}" for name in names for ending in ("out", "err")
    }
    data = bytes_of_all_kinds.read_bytes()
    for name in names:
        assert (folder / f"{name}.out").read_bytes() == data
        assert (folder / f"{name}.err").read_bytes() == data * 2
        assert (folder / f"{name}.err").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert voltron.exists()


def test_links_in_the_way_are_not_followed(cli: Cli, voltron: Path, tmp_path: Path) -> None:
    """What others put there is replaced, what it leads to is not touched; other files stay."""
    folder, precious = tmp_path / "prints", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("mine")
    (folder / "worker-0.out").symlink_to(precious)
    (folder / "worker-0.err").hardlink_to(precious)
    (folder / "worker-1.out").write_text("an earlier run's, and longer")
    (folder / "master-0.out").write_text("not of this run")
    words = ["execute", "voltron", "worker", "-e", "echo new", "--output-dir", str(folder)]
    assert cli(*words).code == 0
    assert precious.read_text() == "mine"
    assert not (folder / "worker-0.out").is_symlink()
    assert [(folder / f"worker-{i}.out").read_text() for i in range(2)] == ["new\n", "new\n"]
    assert (folder / "worker-0.err").read_text() == ""
    assert (folder / "master-0.out").read_text() == "not of this run"
    assert voltron.exists()


def test_a_folder_that_can_not_be_used(
    cli: Cli, voltron: Path, tmp_path: Path, bytes_of_all_kinds: Path
) -> None:
    """A folder that is none, or that holds a folder in a file's place, is bad input."""
    touched = tmp_path / "touched"
    words = ["execute", "voltron", "worker", "0", "-e", f"touch '{touched}'", "--output-dir"]
    assert "--output-dir" in cli(*words, str(bytes_of_all_kinds)).refused()
    (tmp_path / "prints" / "worker-0.out").mkdir(parents=True)
    assert "out of the way" in cli(*words, str(tmp_path / "prints")).refused()
    assert not touched.exists()
    assert voltron.exists()


def test_files_can_be_read_while_the_command_runs(
    voltron: Path, tmp_path: Path, gate: Gate
) -> None:
    """What a node has printed is in its file at once, not when the node is done."""
    folder = tmp_path / "prints"
    command = f"echo begun; {gate.script}; echo ended"
    words = ["execute", "voltron", "worker", "0", "-e", command, "--output-dir", str(folder)]
    with subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"worker-0: begun\n"
        assert (folder / "worker-0.out").read_text() == "begun\n"
        gate.reached()
        gate.open()
        assert process.wait() == 0
    assert (folder / "worker-0.out").read_text() == "begun\nended\n"
    assert voltron.exists()


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("way", [(), ("--json",)], ids=str)
def test_a_file_that_can_not_grow_ends_the_command(
    voltron: Path, tmp_path: Path, way: tuple[str, ...]
) -> None:
    """When the disk is full the error names the file, and nothing runs on on any node."""
    folder, here = tmp_path / "prints", tmp_path / "here"
    here.mkdir()
    command = f"cd '{here}'; while :; do head -c 50000 /dev/zero || exit; done"
    words = ["execute", "voltron", "worker", "-e", command, "--output-dir", str(folder), *way]
    done = subprocess.run(
        [PROGRAM, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_small_files,
        check=False,
    )
    assert done.returncode == 7
    error, fix = done.stderr.splitlines()
    assert error.startswith(f"error: can't write {folder}/worker-")
    assert error.endswith(".out (File too large)")
    assert fix == "fix: allow larger files: ulimit -f"
    assert at_work_in(here) == []
    assert max(path.stat().st_size for path in folder.iterdir()) == 100_000
    assert voltron.exists()
