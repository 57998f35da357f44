"""Files put on Debian's sshd: what arrives, how, and what never does."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from openssh import SHELLS, OpenSSH, openssh

from tinycloud.result import State

from ..client import connected
from .trees import ODD, OLD, names, put, seen, write

Program = Callable[[str], str]

MIXED: dict[str | bytes, bytes] = {
    "readme": b"read me\n",
    "empty": b"",
    "nothing/": b"",
    "deep/er/est/file": b"deep",
    "deep/big": os.urandom(700_001),
    "tool": b"#!/bin/sh\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tree with files of all sizes."""
    folder = write(tmp_path / "source", MIXED)
    (folder / "tool").chmod(0o750)
    (folder / "readme").chmod(0o600)
    return folder


@pytest.fixture
def there(sshd: OpenSSH, tmp_path: Path) -> Path:
    """A folder of the node, of this test alone."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


async def test_a_tree_arrives_as_it_is(sshd: OpenSSH, source: Path, there: Path) -> None:
    """Content, names, permission bits and times of all files, and empty folders, are the same."""
    async with connected(sshd) as link:
        ending, told = await put(link, source, f"{there}/")
    assert (ending.state, ending.error) == (State.OK, None)
    assert seen(there / "source") == seen(source)
    assert told.counts == (5, sum(map(len, MIXED.values())), 0)


async def test_what_is_there_is_not_sent(sshd: OpenSSH, source: Path, there: Path) -> None:
    """Put twice, the second time nothing moves; a file that changed moves alone."""
    async with connected(sshd) as link:
        await put(link, source, f"{there}/")
        inode = (there / "source" / "readme").stat().st_ino
        _, again = await put(link, source, f"{there}/")
        (source / "tool").write_bytes(b"#!/bin/bash\n")
        _, third = await put(link, source, f"{there}/")
    assert again.counts == (0, 0, 5)
    assert (again.last.of_files, again.last.of_bytes) == (0, 0)
    assert (there / "source" / "readme").stat().st_ino == inode
    assert third.counts == (1, len(b"#!/bin/bash\n"), 4)
    assert seen(there / "source") == seen(source)


@pytest.mark.parametrize("name", ["readme", "deep/big"])
async def test_what_only_looks_newer_is_compared(
    sshd: OpenSSH, source: Path, there: Path, name: str
) -> None:
    """A file that got another time and mode, and no other content, gets just those."""
    async with connected(sshd) as link:
        await put(link, source, f"{there}/")
        os.utime(source / name, (OLD + 99, OLD + 99))
        (source / name).chmod(0o640)
        inode = (there / "source" / name).stat().st_ino
        _, told = await put(link, source, f"{there}/")
    assert told.counts == (0, 0, 5)
    assert (there / "source" / name).stat().st_ino == inode
    assert seen(there / "source") == seen(source)


async def test_only_the_mode_changed(sshd: OpenSSH, source: Path, there: Path) -> None:
    """A file whose permission bits changed gets the new ones, and nothing is sent."""
    async with connected(sshd) as link:
        await put(link, source, f"{there}/")
        (source / "readme").chmod(0o755)
        _, told = await put(link, source, f"{there}/")
    assert told.counts == (0, 0, 5)
    assert stat.S_IMODE((there / "source" / "readme").stat().st_mode) == 0o755


async def test_the_same_size_within_the_same_second(sshd: OpenSSH, there: Path) -> None:
    """A file that changes right after it was put, and looks the same, is put again."""
    source = there.parent / "source"
    now = time.time()
    write(source, {"file": b"one"})
    os.utime(source / "file", (now, now))
    async with connected(sshd) as link:
        await put(link, source, f"{there}/")
        write(source, {"file": b"two"})
        os.utime(source / "file", (now, now))
        await put(link, source, f"{there}/")
    assert (there / "source" / "file").read_bytes() == b"two"


async def test_a_name_or_a_folder(sshd: OpenSSH, source: Path, there: Path) -> None:
    """Without `/` at its end REMOTE is the name; twice, it is the same name still."""
    async with connected(sshd) as link:
        for _ in range(2):
            await put(link, source, f"{there}/app")
            await put(link, source / "readme", f"{there}/new/READ.me")
        await put(link, [source / "readme", source / "deep"], f"{there}/all/")
    assert seen(there / "app") == seen(source)
    assert (there / "new" / "READ.me").read_bytes() == b"read me\n"
    assert names(there / "all") >= {b"readme", b"deep/er/est/file"}
    assert {path.split(b"/")[0] for path in names(there)} == {b"app", b"new", b"all"}


async def test_odd_names(sshd: OpenSSH, tmp_path: Path, there: Path) -> None:
    """Any name that a file can have arrives byte for byte: of files, of folders, twice."""
    source = write(tmp_path / "odd", {name: b"content of " + name for name in ODD})
    write(source / "inner", {name + b"/" + name[:99]: name for name in ODD})
    async with connected(sshd) as link:
        for _ in range(2):
            ending, told = await put(link, source, f"{there}/")
            assert ending.error is None
    assert seen(there / "odd") == seen(source)
    # What has a line break in its name is not asked for.
    assert told.last.unchanged == 2 * len(ODD) - 2


async def test_odd_places(sshd: OpenSSH, tmp_path: Path, there: Path) -> None:
    """REMOTE may be any path that has no line break."""
    source = write(tmp_path / "source", {"file": b"here"})
    async with connected(sshd) as link:
        for name in ODD:
            if b"\n" not in name:
                ending, _ = await put(link, source, f"{there}/{os.fsdecode(name)}")
                assert ending.error is None
    assert names(there) == {path for n in ODD if b"\n" not in n for path in (n, n + b"/file")}


@pytest.mark.parametrize("shell", SHELLS)
async def test_every_login_shell(sshd: OpenSSH, source: Path, shell: str) -> None:
    """Whatever the user's login shell is, a relative path begins at home, and all arrives."""
    async with connected(sshd, shell) as link:
        ending, _ = await put(link, source, "a 'b'/c")
        assert ending.error is None
        again, told = await put(link, source, "~/a 'b'/c")
        assert (again.error, told.counts) == (None, (0, 0, 5))
    assert seen(sshd.home(shell) / "a 'b'" / "c") == seen(source)


async def test_files_belong_to_the_user(sshd: OpenSSH, source: Path) -> None:
    """What arrives belongs to who logged in, whoever it belongs to here."""
    os.chown(source / "readme", 12345, 12345)
    async with connected(sshd, "dash") as link:
        await put(link, source, "mine")
    home = sshd.home("dash")
    owners = {path.stat().st_uid for path in [home / "mine", *(home / "mine").rglob("*")]}
    assert owners == {home.stat().st_uid}


async def test_no_special_bits(sshd: OpenSSH, source: Path, there: Path) -> None:
    """Set-user-id and the like do not travel."""
    (source / "tool").chmod(0o6755)
    (source / "deep" / "big").chmod(0o4711)
    async with connected(sshd) as link:
        await put(link, source, f"{there}/")
    modes = [(there / "source" / name).stat().st_mode & 0o7777 for name in ("tool", "deep/big")]
    assert modes == [0o755, 0o711]


async def test_a_file_where_a_folder_is(sshd: OpenSSH, tmp_path: Path, there: Path) -> None:
    """A file never takes the place of a folder, nor a folder that of a file: nothing is touched."""
    write(there / "app", {"one/file": b"old", "two": b"old"})
    before = seen(there)
    source = write(tmp_path / "app", {"one": b"new", "two/file": b"new", "three": b"new"})
    async with connected(sshd) as link:
        ending, _ = await put(link, source, f"{there}/")
        file, _ = await put(link, source / "three", f"{there}/app")
    assert ending.state is State.FAILED
    assert ending.error == "one is a folder there, and a file here (and 1 more)"
    assert file.error == "app is a folder there, and a file here"
    assert seen(there) == before


async def test_a_link_to_a_folder_is_followed(sshd: OpenSSH, source: Path, there: Path) -> None:
    """A folder of the node may be a link to one: what goes into it goes where it leads."""
    (there / "disk").mkdir()
    (there / "app").symlink_to("disk")
    (there / "disk" / "deep").symlink_to("../elsewhere")
    (there / "elsewhere").mkdir()
    async with connected(sshd) as link:
        ending, _ = await put(link, source, f"{there}/app")
    assert ending.error is None
    assert (there / "app").is_symlink()
    assert (there / "elsewhere" / "er" / "est" / "file").read_bytes() == b"deep"


@pytest.mark.parametrize("leads_to", ["precious", "nowhere"])
async def test_a_link_to_a_file_gives_way(
    sshd: OpenSSH, source: Path, there: Path, leads_to: str
) -> None:
    """A link in the place of a file is replaced; what it led to is not touched."""
    write(there, {"precious": b"precious"})
    (there / "source").mkdir()
    for name in ("readme", "tool"):
        (there / "source" / name).symlink_to(f"../{leads_to}")
    async with connected(sshd) as link:
        ending, _ = await put(link, source, f"{there}/")
    assert ending.error is None
    assert seen(there / "source") == seen(source)
    assert (there / "precious").read_bytes() == b"precious"
    assert not (there / "nowhere").exists()


async def test_no_access(sshd: OpenSSH, source: Path) -> None:
    """Where the user may not write, the error says so, and what was there stays."""
    home = sshd.home("dash")
    locked = write(home / "locked", {"source/readme": b"old", "source/deep/big": b"old"})
    before = seen(locked)
    async with connected(sshd, "dash") as link:
        for remote in ("locked/", "locked/app", "locked/source/deep/"):
            ending, _ = await put(link, source, remote)
            assert ending.state is State.FAILED
            assert "ermission denied" in (ending.error or "")
        ending, _ = await put(link, source / "deep" / "big", "locked/source/deep/big")
        assert ending.error == "can't write big: permission denied"
    assert seen(locked) == before


async def test_nothing_else_is_left(sshd: OpenSSH, source: Path, there: Path) -> None:
    """After a put that went well there is nothing of it but the files; nor is a process."""
    async with connected(sshd) as link:
        await put(link, source, f"{there}/")
        await put(link, source, f"{there}/")
        assert sshd.running() == []
    assert names(there) == {b"source"} | {b"source/" + path for path in names(source)}


async def test_what_is_left_of_a_crash_goes(sshd: OpenSSH, source: Path, there: Path) -> None:
    """A folder to unpack in, left by a process that is no more, is removed; a live one's is not."""
    stage = f".tinycloud-stage-{os.uname().nodename}-0-"
    app = write(there / "app", {})
    dead = write(app / f"{stage}4194999", {"t/file": b"half"})
    live = write(app / f"{stage}{os.getpid()}", {"t/file": b"half"})
    other = write(app / ".tinycloud-stage-elsewhere-0-4194999", {"t/file": b"half"})
    async with connected(sshd) as link:
        await put(link, source, f"{there}/app")
    assert [path.exists() for path in (dead, live, other)] == [False, True, True]


async def test_without_tar(program_path: Path, source: Path, there: Path, program: Program) -> None:
    """On a node that has no tar all goes over SFTP."""
    (program_path / "tar").unlink()
    with openssh(program("sshd"), f"SetEnv PATH={program_path}") as server:
        async with connected(server) as link:
            ending, told = await put(link, source, "app")
            assert (ending.error, told.counts[0]) == (None, 5)
            os.utime(source / "readme", (OLD + 9, OLD + 9))
            ending, told = await put(link, source, "app")
            assert (ending.error, told.counts) == (None, (0, 0, 5))
        assert seen(server.home("root") / "app") == seen(source)


@pytest.fixture
def program_path(tmp_path: Path, program: Program) -> Path:
    """A folder with the programs of busybox under their names: all that a small node has."""
    busybox = program("busybox")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (
        *("tar", "stat", "xargs", "head", "sha256sum", "chmod", "touch", "mv", "mkdir", "rm"),
        *("uname", "date", "wc", "id", "cat"),
    ):
        (folder / name).symlink_to(busybox)
    return folder


async def test_busybox(program_path: Path, source: Path, there: Path, program: Program) -> None:
    """A node that has nothing but busybox takes files as any other."""
    with openssh(program("sshd"), f"SetEnv PATH={program_path}") as server:
        async with connected(server) as link:
            ending, _ = await put(link, source, "app")
            assert ending.error is None
            os.utime(source / "readme", (OLD + 9, OLD + 9))
            ending, told = await put(link, source, "app")
            assert (ending.error, told.counts) == (None, (0, 0, 5))
        assert seen(server.home("root") / "app") == seen(source)


async def test_only_sftp(source: Path, program: Program) -> None:
    """An account that may do nothing but SFTP takes files all the same."""
    with openssh(program("sshd"), "ForceCommand internal-sftp") as server:
        async with connected(server, "sh") as link:
            ending, told = await put(link, source, "deep/er/app")
            assert (ending.error, told.counts[0]) == (None, 5)
            ending, told = await put(link, source, "deep/er/app")
            assert (ending.error, told.counts) == (None, (0, 0, 5))
        assert seen(server.home("sh") / "deep" / "er" / "app") == seen(source)


async def test_no_sftp(source: Path, there: Path, program: Program) -> None:
    """Without an SFTP server small files arrive, and the error says what large ones need."""
    no_sftp = 'test "$SSH_ORIGINAL_COMMAND" != internal-sftp && eval "$SSH_ORIGINAL_COMMAND"'
    with openssh(program("sshd"), f"ForceCommand {no_sftp}") as server:
        async with connected(server) as link:
            ending, _ = await put(link, source, f"{there}/")
    assert ending.error == "its SFTP server ended at once: install openssh-sftp-server"
    assert names(there / "source") == names(source) - {b"deep/big"}


async def test_a_shell_that_talks(source: Path, there: Path, sshd: OpenSSH) -> None:
    """What a shell's startup file prints does no harm to small files."""
    home = sshd.home("root")
    (home / ".bashrc").write_text("echo tinycloud is fun; echo end; echo\n")
    try:
        async with connected(sshd) as link:
            ending, _ = await put(link, source / "readme", f"{there}/readme")
            again, told = await put(link, source / "readme", f"{there}/readme")
    finally:
        (home / ".bashrc").unlink()
    assert (ending.error, again.error, told.counts) == (None, None, (0, 0, 1))
