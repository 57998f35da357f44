"""Files got from Debian's sshd."""

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openssh import SHELLS, OpenSSH, openssh

from tinycloud.errors import InvalidInput, MachineError
from tinycloud.result import State
from tinycloud.ssh.files.folder import Draft, opened
from tinycloud.ssh.files.get import Get

from ..client import connected, until
from ..relay import listening, relay
from .conftest import Mount
from .trees import ODD, OLD, Told, get, names, seen, write

KB, MB = 1024, 1024 * 1024
FILES: dict[str | bytes, bytes] = {
    "log": b"line\n",
    "empty": b"",
    "nothing/": b"",
    "deep/er/est/file": b"deep",
    "deep/big": os.urandom(700_001),
    "deep/" + "long" * 30: b"a long name",
    **{f"many/{i}": os.urandom(i) for i in range(50)},
}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of the node, with files."""
    folder = write(tmp_path / "there", FILES)
    (folder / "log").chmod(0o640)
    (folder / "deep" / "big").chmod(0o755)
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Where files are to come to."""
    return tmp_path / "here"


async def test_a_tree_comes_as_it_is(sshd: OpenSSH, there: Path, here: Path) -> None:
    """Content, names, permission bits and times are the same, below the name of the node."""
    async with connected(sshd) as link:
        ending, told = await get(link, str(there), here)
    assert (ending.state, ending.error) == (State.OK, None)
    assert seen(here / "worker-0" / "there") == seen(there)
    assert told.counts == (55, sum(map(len, FILES.values())), 0)
    assert names(here) == {b"worker-0", b"worker-0/there"} | {
        b"worker-0/there/" + path for path in names(there)
    }


async def test_what_is_here_is_not_fetched(sshd: OpenSSH, there: Path, here: Path) -> None:
    """Got twice, nothing moves the second time; what changed there comes again."""
    async with connected(sshd) as link:
        await get(link, str(there), here)
        inode = (here / "worker-0" / "there" / "log").stat().st_ino
        _, again = await get(link, str(there), here)
        (there / "deep" / "big").write_bytes(b"small now")
        (there / "many" / "7").write_bytes(b"another")
        _, third = await get(link, str(there), here)
    assert again.counts == (0, 0, 55)
    assert (here / "worker-0" / "there" / "log").stat().st_ino == inode
    assert third.counts == (2, 16, 53)
    assert seen(here / "worker-0" / "there") == seen(there)


@pytest.mark.parametrize("name", ["log", "deep/big"])
async def test_one_file(sshd: OpenSSH, there: Path, here: Path, name: str) -> None:
    """A file comes under its own name, whatever it is in."""
    async with connected(sshd) as link:
        ending, _ = await get(link, f"{there}/{name}", here)
    assert ending.error is None
    assert names(here) == {b"worker-0", b"worker-0/" + os.path.basename(name).encode()}
    assert (here / "worker-0" / os.path.basename(name)).read_bytes() == FILES[name]


@pytest.mark.parametrize("shell", SHELLS)
async def test_every_login_shell(sshd: OpenSSH, here: Path, shell: str) -> None:
    """Whatever the login shell is, paths begin at home; home itself has no name of its own."""
    home = sshd.home(shell)
    write(home / "results", {f"{i}": b"%d" % i for i in range(20)})
    async with connected(sshd, shell) as link:
        for remote in ("results", "~/results", "./results/"):
            ending, told = await get(link, remote, here)
            assert ending.error is None
        assert told.counts == (0, 0, 20)
        ending, _ = await get(link, "~", here / "home")
        assert ending.error is None
    assert seen(here / "worker-0") == {b"results": "folder"} | {
        b"results/" + path: content for path, content in seen(home / "results").items()
    }
    assert names(here / "home" / "worker-0") >= {b"results", b"results/0"}


async def test_odd_names(sshd: OpenSSH, tmp_path: Path, here: Path) -> None:
    """Any name comes byte for byte."""
    source = write(tmp_path / "odd", {name: b"content of " + name for name in ODD})
    write(source / "inner", {name + b"/" + name[:99]: name for name in ODD})
    async with connected(sshd) as link:
        for _ in range(2):
            ending, _ = await get(link, str(source), here)
            assert ending.error is None
    assert seen(here / "worker-0" / "odd") == seen(source)


async def test_what_is_no_file(sshd: OpenSSH, there: Path, here: Path) -> None:
    """Links, pipes and devices are passed over, and that is said; nothing is made of them."""
    (there / "link").symlink_to("log")
    (there / "loop").symlink_to(".")
    (there / "out").symlink_to("/etc")
    os.mkfifo(there / "pipe")
    async with connected(sshd) as link:
        ending, told = await get(link, str(there), here)
    assert ending.error is None
    assert sorted(told.remarks) == sorted(
        f"passed over {there}/{name}: a {kind}"
        for name, kind in (
            *((name, "symbolic link") for name in ("link", "loop", "out")),
            ("pipe", "named pipe"),
        )
    )
    assert names(here / "worker-0" / "there") == names(there) - {b"link", b"loop", b"out", b"pipe"}


async def test_what_was_asked_for_may_be_a_link(sshd: OpenSSH, there: Path, here: Path) -> None:
    """A link that was asked for by name is followed on the node."""
    (there.parent / "current").symlink_to("there/many")
    (there.parent / "latest").symlink_to("there/log")
    async with connected(sshd) as link:
        await get(link, str(there.parent / "current"), here)
        await get(link, str(there.parent / "latest"), here)
    assert seen(here / "worker-0" / "current") == seen(there / "many")
    assert (here / "worker-0" / "latest").read_bytes() == b"line\n"
    assert not (here / "worker-0" / "latest").is_symlink()


@pytest.mark.parametrize(
    ("remote", "error"),
    [
        ("/nothing/here", "can't get /nothing/here: no such file or folder"),
        ("nothing", "can't get nothing: no such file or folder"),
        ("/dev/null", "can't get /dev/null: it is a device"),
        ("/etc/passwd/", "can't get /etc/passwd: it is no folder"),
    ],
)
async def test_nothing_to_get(sshd: OpenSSH, here: Path, remote: str, error: str) -> None:
    """What is not there, or is no file, gives an error that says so, and no folder here."""
    async with connected(sshd) as link:
        ending, _ = await get(link, remote, here)
    assert (ending.state, ending.error) == (State.FAILED, error)
    assert names(here) == set()


async def test_some_can_not_be_read(sshd: OpenSSH, here: Path) -> None:
    """What the user may not read is named; all else comes."""
    home = sshd.home("dash")
    write(home / "mixed", {f"{i}": b"x" * i for i in range(20)})
    for name in ("3", "7"):
        (home / "mixed" / name).chmod(0)
    async with connected(sshd, "dash") as link:
        ending, _ = await get(link, "mixed", here)
    assert ending.state is State.FAILED
    assert (ending.error or "").startswith("can't get mixed/")
    assert (ending.error or "").endswith(": permission denied (and 1 more)")
    wanted = {b"%d" % i for i in range(20)} - {b"3", b"7"}
    assert names(here / "worker-0" / "mixed") == wanted


async def test_files_in_proc(sshd: OpenSSH, here: Path) -> None:
    """Files that don't say how long they are come nevertheless."""
    async with connected(sshd) as link:
        ending, _ = await get(link, "/proc/cpuinfo", here)
    assert ending.error is None
    assert b"processor" in (here / "worker-0" / "cpuinfo").read_bytes()


async def test_two_names_for_one_file(sshd: OpenSSH, there: Path, here: Path) -> None:
    """Of a file with two names both come."""
    os.link(there / "many" / "49", there / "many" / "also")
    os.link(there / "many" / "49", there / "zz")
    async with connected(sshd) as link:
        ending, _ = await get(link, str(there), here)
    assert ending.error is None
    assert seen(here / "worker-0" / "there") == seen(there)


@pytest.mark.parametrize(
    "setting",
    ["ForceCommand internal-sftp", "SetEnv PATH=/nonexistent"],
    ids=["no shell", "no programs"],
)
async def test_only_sftp(
    program: Callable[[str], str], there: Path, here: Path, setting: str
) -> None:
    """Without a shell, or a tar, all comes over SFTP."""
    with openssh(program("sshd"), setting) as server:
        async with connected(server) as link:
            ending, told = await get(link, str(there), here)
    assert (ending.error, told.counts[0]) == (None, 55)
    assert seen(here / "worker-0" / "there") == seen(there)


async def test_a_cut_link(sshd: OpenSSH, there: Path, here: Path) -> None:
    """A link cut in the middle leaves no half of a file here; the next run gets all."""
    (there / "huge").write_bytes(os.urandom(40 * MB))
    begun = asyncio.Event()
    with opened(here) as folder:
        async with (
            listening(relay(sshd.port)) as wire,
            connected(sshd, node=replace(sshd.node(), port=wire.port)) as link,
        ):
            transfer = Get(str(there / "huge"), folder)
            task = asyncio.ensure_future(
                link.move(transfer, lambda p: begun.set() if p.bytes > MB else None)
            )
            await begun.wait()
            wire.cut()
            ending = await task
    assert ending.state is State.LOST
    assert names(here) == {b"worker-0"}
    await until(lambda: sshd.running() == [])
    async with connected(sshd) as link:
        await get(link, str(there), here)
    assert seen(here / "worker-0" / "there") == seen(there)


@pytest.mark.parametrize("what", ["huge", "many"])
async def test_cancelled(sshd: OpenSSH, there: Path, here: Path, what: str) -> None:
    """A transfer that is cancelled leaves whole files here, no others; and no process there."""
    (there / "huge").write_bytes(os.urandom(40 * MB))
    write(there / "many", {f"m{i}": os.urandom(99_000) for i in range(200)})
    begun = asyncio.Event()
    with opened(here) as folder:
        async with connected(sshd) as link:
            transfer = Get(str(there / what), folder)
            task = asyncio.ensure_future(
                link.move(transfer, lambda p: begun.set() if p.bytes > MB else None)
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: sshd.running() == [])
    wanted = seen(there.parent)
    for path, content in seen(here / "worker-0").items():
        assert wanted[b"there/" + path] == content


async def test_what_a_killed_run_left_goes(sshd: OpenSSH, there: Path, here: Path) -> None:
    """Unfinished files whose writer is dead are removed; one that is being written is not."""
    write(here, {"worker-0/there/.tinycloud-part-dead": b"half"})
    told = Told()
    with (
        opened(here) as folder,
        folder.enter(b"worker-0") as node,
        node.enter(b"there") as inner,
        Draft(inner, b"alive", 0o644) as draft,
    ):
        draft.write(b"half", 0)
        async with connected(sshd) as link:
            await link.move(Get(str(there), folder), told)
        left = names(here / "worker-0" / "there") - names(there)
        assert b".tinycloud-part-dead" not in left
        assert len(left) == 1
        draft.keep(OLD)
    assert (here / "worker-0" / "there" / "alive").read_bytes() == b"half"


async def test_a_folder_that_can_not_be_used(tmp_path: Path) -> None:
    """If LOCAL is a file, or can't be made, that is said before any node is asked."""
    write(tmp_path, {"file": b""})
    for name in ("file", "file/inner"):
        with pytest.raises(InvalidInput, match="can't use"):
            opened(tmp_path / name)


async def test_no_space_here(sshd: OpenSSH, there: Path, mounted: Mount) -> None:
    """A full disk here is an error of this machine, which says what helps."""
    write(there, {f"more/{i}": b"x" * 100_000 for i in range(30)})
    here = mounted("here", "size=1m")
    async with connected(sshd) as link:
        with pytest.raises(MachineError, match="no space left on device") as raised:
            await get(link, str(there), here)
    assert raised.value.fix == "free some disk space"
    assert not [name for name in names(here) if b".tinycloud" in name]


async def test_no_room_for_what_is_announced(sshd: OpenSSH, there: Path, mounted: Mount) -> None:
    """A file that is larger than the room there is here is not begun; others come."""
    (there / "huge").write_bytes(b"x" * 3 * MB)
    here = mounted("here", "size=2m")
    async with connected(sshd) as link:
        ending, _ = await get(link, str(there), here)
    assert ending.error == f"can't get {there}/huge: there is no room here for its {3 * MB} bytes"
    assert names(here / "worker-0" / "there") == names(there) - {b"huge"}


async def test_read_only_here(sshd: OpenSSH, there: Path, mounted: Mount) -> None:
    """A folder that can't be written to is an error of this machine too."""
    here = mounted("here", "ro")
    async with connected(sshd) as link:
        with pytest.raises(MachineError, match="read-only"):
            await get(link, str(there), here)


async def test_modes_are_masked(sshd: OpenSSH, there: Path, here: Path) -> None:
    """What comes runs as nobody else, and is never open for others to write to."""
    (there / "log").chmod(0o6777)
    (there / "deep" / "big").chmod(0o4766)
    (there / "many").chmod(0o3777)
    async with connected(sshd) as link:
        await get(link, str(there), here)
    copy = here / "worker-0" / "there"
    modes = [stat.S_IMODE((copy / n).stat().st_mode) for n in ("log", "deep/big", "many")]
    assert modes == [0o755, 0o744, 0o755]
