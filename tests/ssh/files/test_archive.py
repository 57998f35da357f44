"""The archive that is made once, and the script that it ends with."""

import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud.ssh.files import archive
from tinycloud.ssh.files.archive import END, SMALL, Archive, member
from tinycloud.ssh.files.place import moves, script
from tinycloud.ssh.files.shipment import shipment
from tinycloud.ssh.files.tree import Entry
from tinycloud.ssh.files.unpack import Garbled, Unpacker

from .trees import ODD, OLD, names, seen, write


@pytest.fixture
def many(tmp_path: Path) -> tuple[Entry, ...]:
    """Enough files for several pieces."""
    content: dict[str | bytes, bytes] = {f"d{i % 5}/{i}": os.urandom(i * 50) for i in range(600)}
    folder = write(tmp_path / "many", {**content, "max": bytes(SMALL)})
    return shipment([folder], "x").jobs[0].entries


async def stream(
    made: Archive, wanted: Sequence[int], problems: dict[int, str] | None = None
) -> bytes:
    """Return some members of an archive, with its end."""
    missed: dict[int, str] = {} if problems is None else problems
    return b"".join([bytes(data) async for data, _ in made.members(wanted, missed)]) + END


def run(command: Sequence[str | bytes], folder: Path, stdin: bytes = b"") -> bytes:
    """Run a program, which must succeed; return what it prints."""
    return subprocess.run(
        command, cwd=folder, input=stdin, stdout=subprocess.PIPE, check=True
    ).stdout


async def test_all_members(many: tuple[Entry, ...]) -> None:
    """Any tar takes it, and finds everything in it."""
    data = await stream(Archive(many), range(len(many)))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {entry.name: (entry.mode, entry.mtime) for entry in tar}
    assert found == {f"t/{e.path.decode()}": (e.mode, e.second) for e in many}


async def test_some_members(many: tuple[Entry, ...]) -> None:
    """Any choice of members is an archive as well, and says what it holds."""
    wanted = [*range(0, 300, 7), *range(301, 600)]
    made = Archive(many)
    held = [i async for _, indices in made.members(wanted, {}) for i in indices]
    with tarfile.open(fileobj=io.BytesIO(await stream(made, wanted))) as tar:
        assert tar.getnames() == [f"t/{many[index].path.decode()}" for index in wanted]
    assert held == wanted


async def test_made_once(many: tuple[Entry, ...]) -> None:
    """What was made is kept for the next node: it gets the same, though the files are gone."""
    made = Archive(many)
    first = await stream(made, range(len(many)))
    for entry in many:
        if not entry.is_folder:
            os.unlink(entry.source)
    assert await stream(made, range(len(many))) == first


async def test_memory_is_bounded(many: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many pieces are kept; an older one is made again."""
    monkeypatch.setattr(archive, "KEPT", 2)
    made = Archive(many)
    first = await stream(made, range(len(many)))
    assert len(made._pieces) == 2
    assert await stream(made, range(len(many))) == first


async def test_files_that_change(many: tuple[Entry, ...]) -> None:
    """A file that can't be sent any more is left out and named; all others are there."""
    files = [index for index, entry in enumerate(many) if not entry.is_folder]
    gone, grown, pipe, shorter = files[3], files[4], files[5], files[6]
    os.unlink(many[gone].source)
    write(Path(os.fsdecode(many[grown].source)).parent, {many[grown].source: bytes(SMALL + 1)})
    os.unlink(many[pipe].source)
    os.mkfifo(many[pipe].source)
    os.truncate(many[shorter].source, 1)
    problems: dict[int, str] = {}
    data = await stream(Archive(many), range(len(many)), problems)
    assert problems.keys() == {gone, grown, pipe}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert len(tar.getnames()) == len(many) - 3
        assert tar.getmember(f"t/{many[shorter].path.decode()}").size == 1


@pytest.mark.parametrize("tar", [["tar"], ["busybox", "tar"]], ids=" ".join)
@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "mksh", "busybox sh"])
async def test_unpacked_and_put_in_place(
    tmp_path: Path, tar: list[str], shell: str, program: Callable[[str], str]
) -> None:
    """With any tar and any shell all comes to its place, whatever it is called."""
    for name in (tar[0], shell.split()[0]):
        program(name)
    source = write(tmp_path / "odd", {name: b"content of " + name for name in ODD})
    write(source / "inner", {name + b"/" + name[:99]: name for name in ODD})
    write(source, {"../odd/touched": b"same", "old/new": b"x"})
    target = write(tmp_path / "target", {"touched": b"same", "old/stays": b"y"}, second=1)
    (source / "touched").chmod(0o600)
    entries = shipment([source], "x").jobs[0].entries
    existing = {b"old"}
    touched = [entry for entry in entries if entry.path == b"touched"]
    moved = [e for e in entries if e.path not in (b"touched", b"old")]
    made = await stream(Archive(entries), [entries.index(entry) for entry in moved])
    stage = tmp_path / "target" / "stage"
    stage.mkdir()
    last = member(b"place", script(moved, existing, touched), mode=0o600)
    run([*tar, "-xpof", "-", "-C", "stage"], target, made[: -len(END)] + last + END)
    run([*shell.split(), "stage/place", "stage"], target)
    run(["rm", "-r", "stage"], target)
    write(source, {"old/stays": b"y"}, second=1)
    assert seen(target) == seen(source)


def test_few_moves(many: tuple[Entry, ...]) -> None:
    """A new folder is moved as a whole; into others all their files at once."""
    assert len(moves(many, ())) == 1
    assert {folder: len(found) for folder, found in moves(many, {b"d0", b"d1"})} == {
        b"": 6,
        b"d0": 120,
        b"d1": 120,
    }


def test_no_command_is_too_long(many: tuple[Entry, ...]) -> None:
    """However many files there are, no line is longer than a system takes."""
    entries = [
        Entry(b"%03d" % i + b"x" * 200, b"", False, 0, 0o644, OLD * 10**9) for i in range(999)
    ]
    lines = script(entries, (), entries).split(b"\n")
    assert max(map(len, lines)) < 64 * 1024
    assert sum(line.count(b"xxx ") + line.count(b"x'") for line in lines) >= 999


@given(st.binary(max_size=4000), st.integers(1, 700))
def test_any_stream(noise: bytes, size: int) -> None:
    """Whatever comes, in whatever pieces, is either taken as what it is or refused."""
    kept: dict[bytes, bytes] = {}
    unpacker = Unpacker({b"a": b"a", b"b": b"b"}, 10, kept.__setitem__)
    data = b"tinycloud\n" + member(b"./a", b"first", mode=0o644) + noise
    try:
        for begin in range(0, len(data), size):
            unpacker.feed(data[begin : begin + size])
    except Garbled:
        pass
    assert kept[b"a"] == b"first"
    assert kept.keys() | unpacker.missing.keys() == {b"a", b"b"}


def test_streams_of_all_tars(tmp_path: Path, program: Callable[[str], str]) -> None:
    """What GNU's tar and busybox's print is understood."""
    program("busybox")
    source = write(tmp_path / "s", {name: name for name in ODD if len(name) < 90})
    wanted = {name: name for name in ODD if len(name) < 90}
    for tar in (["tar"], ["tar", "--format=posix"], ["tar", "--format=v7"], ["busybox", "tar"]):
        paths = [b"./" + name for name in wanted]
        made = run([*tar, "-cf", "-", *paths], source)
        kept: dict[bytes, bytes] = {}
        unpacker = Unpacker(wanted, 10_000, kept.__setitem__)
        unpacker.feed(b"tinycloud\n" + made)
        assert kept == wanted
    assert names(source) == set(wanted)
