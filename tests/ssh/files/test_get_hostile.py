"""A node that lies when files are got from it: nothing appears but what was asked for."""

import asyncio
import itertools
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tinycloud.result import State
from tinycloud.ssh.connection import Ending
from tinycloud.ssh.files import listing, silence

from .hostile import FOLDER, LINK, Lie, Lies, Names, lying
from .trees import Told, get, names, seen, write

EVIL = Lie()
TREE = Lie(mode=FOLDER)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    """A folder with something precious in it, beside where files come to; it must stay as it is."""
    world = write(tmp_path / "world", {"precious": b"precious", "home/.ssh/authorized_keys": b"me"})
    before = seen(world)
    (world / "here").mkdir()
    yield world
    after = {
        path: content
        for path, content in seen(world).items()
        if path != b"here" and not path.startswith(b"here/worker-0")
    }
    assert after == before


async def got(lies: Lies, world: Path) -> tuple[Ending, Told, set[bytes]]:
    """Get what the node calls `/data`; return how it ended, and what is here then."""
    async with lying(lies) as link:
        ending, told = await get(link, "/data", world / "here")
    here = world / "here" / "worker-0"
    for path in here.rglob("*") if here.exists() else ():
        assert not path.is_symlink()
        mode = path.stat().st_mode
        assert stat.S_ISDIR(mode) or stat.S_ISREG(mode)
        assert not mode & 0o7022
    return ending, told, names(here) if here.exists() else set()


def flat(*entries: tuple[bytes, Lie]) -> Lies:
    """Return lies about one folder."""
    return Lies({b"/data": lambda: entries})


NEVER = [
    b"..",
    b".",
    b"",
    b"/",
    b"//",
    b"../up",
    b"../../precious",
    b"/etc/absolute",
    b"a/b",
    b"a/../../../precious",
    b"./a",
    b"a/",
    b"\0",
    b"a\0b",
    b"../precious\0",
]


@pytest.mark.parametrize("name", NEVER, ids=repr)
@pytest.mark.parametrize("lie", [EVIL, TREE], ids=["file", "folder"])
async def test_names_that_lead_elsewhere(world: Path, name: bytes, lie: Lie) -> None:
    """A name that is not plain is not taken; what else there is comes."""
    ending, _, here = await got(flat((name, lie), (b"good", EVIL)), world)
    assert here == {b"data", b"data/good"}
    if name in (b".", b".."):
        assert ending.error is None
    else:
        assert ending.error == f"it lists a name that nothing can have: {name!r}"


@pytest.mark.parametrize("name", [b"x" * 256, b"x" * 5000], ids=len)
async def test_names_that_are_too_long(world: Path, name: bytes) -> None:
    """A name that no file can have here is an error of that file alone."""
    ending, _, here = await got(flat((name, EVIL), (b"good", EVIL)), world)
    assert here == {b"data", b"data/good"}
    assert (ending.error or "").endswith("here: file name too long")


@pytest.mark.parametrize(
    "kind", [LINK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, 0, 0o170000], ids=oct
)
async def test_what_is_no_file(world: Path, kind: int) -> None:
    """Links, devices, pipes, sockets and what has no kind at all are passed over, with a word."""
    ending, told, here = await got(flat((b"odd", Lie(mode=kind | 0o777)), (b"good", EVIL)), world)
    assert (ending.error, here) == (None, {b"data", b"data/good"})
    assert len(told.remarks) == 1
    assert told.remarks[0].startswith("passed over /data/odd: ")


async def test_a_link_that_becomes_a_folder(world: Path) -> None:
    """A link to a folder elsewhere, and then a folder of that name with files in it."""
    lies = Lies(
        {
            b"/data": lambda: [(b"way", Lie(mode=LINK)), (b"way", TREE)],
            b"/data/way": lambda: [(b"precious", EVIL)],
        }
    )
    ending, _, here = await got(lies, world)
    assert (ending.error, here) == (None, {b"data", b"data/way", b"data/way/precious"})


@pytest.mark.parametrize(
    "order", [("file", "folder"), ("folder", "file"), ("file", "folder", "file")], ids="-".join
)
async def test_a_folder_that_is_also_a_file(world: Path, order: tuple[str, ...]) -> None:
    """The same name as a file and as a folder: one of them is here, and the other is an error."""
    entries = [(b"both", EVIL if kind == "file" else TREE) for kind in order]
    lies = Lies({b"/data": lambda: entries, b"/data/both": lambda: [(b"inner", EVIL)]})
    ending, _, here = await got(lies, world)
    assert ending.state is State.FAILED
    assert "here: move it away" in (ending.error or "")
    assert here in ({b"data", b"data/both"}, {b"data", b"data/both", b"data/both/inner"})


async def test_links_that_are_here_are_not_followed(world: Path) -> None:
    """Local links in the way of folders are refused, those in the way of files replaced."""
    here = world / "here" / "worker-0" / "data"
    here.mkdir(parents=True)
    (here / "file").symlink_to(world / "precious")
    (here / "dangling").symlink_to(world / "new")
    (here / "way").symlink_to(world / "home")
    lies = Lies(
        {
            b"/data": lambda: [(b"file", EVIL), (b"dangling", EVIL), (b"way", TREE)],
            b"/data/way": lambda: [(b"precious", EVIL), (b".ssh", TREE)],
            b"/data/way/.ssh": lambda: [(b"authorized_keys", EVIL)],
        }
    )
    async with lying(lies) as link:
        ending, _ = await get(link, "/data", world / "here")
    assert ending.error == f"{here}/way is a symbolic link here: move it away"
    assert (here / "way").is_symlink()
    assert names(here) == {b"file", b"dangling", b"way"}
    assert [(here / name).read_bytes() for name in ("file", "dangling")] == [b"evil", b"evil"]
    assert not (here / "file").is_symlink()


@pytest.mark.parametrize("where", ["worker-0", "worker-0/data"])
async def test_a_link_at_the_top(world: Path, where: str) -> None:
    """The folder of the node, and the one that was asked for, are not followed either."""
    way = world / "here" / where
    way.parent.mkdir(exist_ok=True)
    way.symlink_to(world / "home")
    async with lying(flat((b"precious", EVIL))) as link:
        ending, _ = await get(link, "/data", world / "here")
    assert ending.error == f"{way} is a symbolic link here: move it away"
    way.unlink()


async def test_the_users_own_link(world: Path, tmp_path: Path) -> None:
    """LOCAL itself may be a link: that is the user's wish."""
    (tmp_path / "link").symlink_to(world / "here")
    async with lying(flat((b"good", EVIL))) as link:
        ending, _ = await get(link, "/data", tmp_path / "link")
    assert ending.error is None
    assert names(world / "here") == {b"worker-0", b"worker-0/data", b"worker-0/data/good"}


async def test_a_file_that_never_ends(world: Path) -> None:
    """Of a file whose content goes on for ever, only what was announced is taken."""
    endless = Lie(size=300_000, content=lambda _, size: b"x" * size)
    ending, told, here = await got(flat((b"endless", endless), (b"good", EVIL)), world)
    assert (ending.error, here) == (None, {b"data", b"data/endless", b"data/good"})
    assert (world / "here/worker-0/data/endless").stat().st_size == 300_000
    assert told.last.bytes == 300_004


@pytest.mark.parametrize("size", [0, None])
async def test_an_empty_file_that_never_ends(world: Path, size: int | None) -> None:
    """Of a file that is said to be empty, or of no size, nothing is taken."""
    endless = Lie(size=size, content=lambda _, size: b"x" * size)
    ending, _, here = await got(flat((b"endless", endless)), world)
    assert (ending.error, here) == (None, {b"data", b"data/endless"})
    assert (world / "here/worker-0/data/endless").stat().st_size == 0


async def test_a_file_in_proc_that_never_ends(world: Path) -> None:
    """Where empty files may hold something, they may not hold everything."""
    endless = Lie(size=0, content=lambda _, size: b"x" * size)
    lies = Lies({b"/proc": lambda: [(b"endless", endless)]})
    async with lying(lies) as link:
        ending, _ = await get(link, "/proc/endless", world / "here")
    assert ending.error == "it was said to be empty, and goes on and on"
    assert names(world / "here" / "worker-0") == set()


@pytest.mark.parametrize("size", [5, 300_000, 2**40, 2**63 - 1, 2**64 - 1])
async def test_sizes_that_are_not_true(world: Path, size: int) -> None:
    """A file that is shorter than announced, or for which there is no room, does not appear."""
    ending, _, here = await got(flat((b"short", Lie(size=size)), (b"good", EVIL)), world)
    assert ending.state is State.FAILED
    assert here == {b"data", b"data/good"}


async def test_more_than_was_asked_for(world: Path) -> None:
    """A read that is answered with more than was asked for is an error."""
    lie = Lie(size=8, content=lambda _, size: b"x" * (size + 1))
    ending, _, here = await got(flat((b"more", lie), (b"good", EVIL)), world)
    assert ending.error == "more came than was asked for"
    assert here == {b"data", b"data/good"}


async def test_one_byte_at_a_time(world: Path) -> None:
    """A server may give less than was asked for: then it is asked again."""
    lie = Lie(size=2000, content=lambda offset, _: bytes([offset % 256]))
    ending, _, _ = await got(flat((b"slow", lie)), world)
    assert ending.error is None
    content = (world / "here/worker-0/data/slow").read_bytes()
    assert content == bytes(i % 256 for i in range(2000))


async def test_a_listing_that_never_ends(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some number of names no more are taken, and that is said."""
    monkeypatch.setattr(listing, "NAMES", 3000)
    lies = Lies({b"/data": lambda: ((b"%d" % i, EVIL) for i in itertools.count())})
    ending, _, here = await got(lies, world)
    assert ending.error == "it lists more than 3000 names: no more are taken"
    assert len(here) <= 3001


async def test_folders_that_never_end(world: Path) -> None:
    """Folders in folders without end are left alone at some depth."""

    class Deep(dict[bytes, object]):
        def __contains__(self, path: object) -> bool:
            return isinstance(path, bytes) and path.startswith(b"/data")

        def __missing__(self, path: bytes) -> object:
            return lambda: [(b"again", TREE)]

    ending, _, here = await got(Lies(Deep()), world)  # type: ignore[arg-type]  # it is a dict
    assert ending.error == "there are more than 100 folders in one another"
    assert len(here) <= 100


async def test_names_with_escapes(world: Path) -> None:
    """Names that could play with a terminal are kept byte for byte, and shown as escapes."""
    evil = [b"\x1b]0;title\x07", b"a\rb", b"line\nbreak", b"\xff\xfe", "\u202egnp".encode()]
    entries = [(name, EVIL) for name in evil]
    links = [(b"link" + name, Lie(mode=LINK)) for name in evil]
    ending, told, here = await got(flat(*entries, *links), world)
    assert ending.error is None
    assert here == {b"data"} | {b"data/" + name for name in evil}
    assert len(told.remarks) == len(links)


async def test_many_links(world: Path) -> None:
    """Of many things that are passed over only some are named one by one."""
    entries = [(b"link%d" % i, Lie(mode=LINK)) for i in range(500)]
    _, told, here = await got(flat(*entries), world)
    assert here == {b"data"}
    assert len(told.remarks) == 11
    assert told.remarks[-1] == "passed over 490 more"


@pytest.mark.parametrize("second", [0, 2**31, 2**32 - 1])
async def test_odd_times(world: Path, second: int) -> None:
    """Any time that SFTP can name can be that of a file here."""
    ending, _, _ = await got(flat((b"file", Lie(second=second))), world)
    assert ending.error is None
    assert int((world / "here/worker-0/data/file").stat().st_mtime) == second


async def test_modes(world: Path) -> None:
    """Whatever a node says of modes, nothing here is set-user-id or open for others to write."""
    modes = (0o7777, 0o4755, 0o666, 0o000, 0o222)
    entries = [(b"%o" % mode, Lie(mode=stat.S_IFREG | mode)) for mode in modes]
    entries += [(b"d%o" % mode, Lie(mode=stat.S_IFDIR | mode)) for mode in modes]
    lies = Lies({b"/data": lambda: entries, **{b"/data/d%o" % m: lambda: () for m in modes}})
    ending, _, here = await got(lies, world)
    assert ending.error is None
    assert len(here) == 11
    assert (world / "here/worker-0/data/7777").stat().st_mode & 0o777 == 0o755


async def test_what_was_asked_for_is_no_file(world: Path) -> None:
    """If what was asked for by name is no file, nothing is made of it."""
    lies = Lies({b"": lambda: [(b"data", Lie(mode=stat.S_IFCHR))]})
    ending, _, here = await got(lies, world)
    assert (ending.error, here) == ("can't get /data: it is a device", set())


async def test_errors_that_play_tricks(world: Path) -> None:
    """What a server says of an error can't play with a terminal, and is cut short."""

    def fail(offset: int, size: int) -> bytes:
        raise asyncssh.SFTPFailure("\x1b[2J\nworker-1: all is well" + "x" * 10_000)

    ending, _, _ = await got(flat((b"file", Lie(content=fail))), world)
    assert (ending.error or "").startswith(
        "can't get /data/file: \\x1b[2J\\nworker-1: all is wellxxx"
    )
    assert len(ending.error or "") < 400


def many(*extra: tuple[bytes, Lie]) -> Names:
    """Return so many files that they come as one stream."""
    return [*((b"file%d" % i, EVIL) for i in range(20)), *extra]


def streaming(*members: bytes, before: bytes = b"tinycloud\n", after: bytes = b"") -> Lies:
    """Return lies of a node that has tar, or something like it."""
    stream = before + b"".join(members) + bytes(1024) + after

    def prints() -> Iterator[bytes]:
        yield stream

    return Lies({b"/data": many}, prints=prints)


EXPECTED = {b"data"} | {b"data/file%d" % i for i in range(20)}


def member(
    name: bytes,
    content: bytes = b"tarred",
    kind: bytes = b"0",
    *,
    size: int | None = None,
    linkname: str = "",
) -> bytes:
    """Return a member of a tar archive as nobody would make it."""
    info = tarfile.TarInfo(name.decode(errors="surrogateescape"))
    info.size = len(content) if size is None else size
    info.type = kind
    info.mode = 0o7777
    info.linkname = linkname
    header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    return header + content + bytes(-len(content) % 512)


GOOD = [member(b"./file%d" % i) for i in range(20)]


async def test_an_honest_stream(world: Path) -> None:
    """Small files come out of the stream, each under its name; no more is asked for."""
    lies = streaming(*GOOD)
    ending, told, here = await got(lies, world)
    assert (ending.error, here, lies.asked) == (None, EXPECTED, [])
    assert (world / "here/worker-0/data/file7").read_bytes() == b"tarred"
    assert told.last.files == 20


EVIL_MEMBERS = {
    "up": member(b"../../precious"),
    "absolute": member(b"/etc/evil"),
    "unasked": member(b"unasked"),
    "twice": member(b"file0"),
    "folder": member(b"file3", b"", b"5"),
    "inside": member(b"file3/inner"),
    "symlink": member(b"file3", b"", b"2", linkname="../../../precious"),
    "hard link elsewhere": member(b"file3", b"", b"1", linkname="../../../precious"),
    "hard link with content": member(b"file3", b"evil", b"1", linkname="../../../precious"),
    "device": member(b"file3", b"", b"3"),
    "pipe": member(b"file3", b"", b"6"),
    "sparse": member(b"file3", b"", b"S"),
    "long name": member(b"././@LongLink", b"../../../precious\0", b"L"),
    "pax": member(b"x", b"30 path=../../../../precious1\n", b"x"),
    "pax for all": member(b"x", b"30 path=../../../../precious1\n", b"g"),
    "large": member(b"file3", b"", b"0", size=8**11 - 1),
    "huge": member(b"file3", b"", b"0", size=2**62),
    "huge pax": member(b"x", b"", b"x", size=8**11 - 1),
    "garbage": os.urandom(512),
    "nothing": b"",
    "name of nothing": member(b""),
}


@pytest.mark.parametrize("evil", EVIL_MEMBERS.values(), ids=EVIL_MEMBERS)
async def test_evil_streams(world: Path, evil: bytes) -> None:
    """Whatever a stream holds, all that was asked for is here in the end, and nothing else."""
    lies = streaming(*GOOD[:3], evil, *GOOD[3:])
    ending, _, here = await got(lies, world)
    assert (ending.error, here) == (None, EXPECTED)
    contents = {(world / f"here/worker-0/data/file{i}").read_bytes() for i in range(20)}
    assert contents <= {b"tarred", b"evil"}


def forever(piece: bytes) -> Iterator[bytes]:
    """Yield the same for ever, after a beginning."""
    yield b"tinycloud\n"
    yield from itertools.repeat(piece)


@pytest.mark.parametrize(
    "piece",
    [bytes(32768), b"x" * 32768, member(b"x", b"", b"x") * 64, GOOD[0] * 32],
    ids=["zeros", "noise", "extras", "the same file"],
)
async def test_streams_that_never_end(world: Path, piece: bytes) -> None:
    """A stream that goes on for ever is given up, and all is got the other way."""
    lies = Lies({b"/data": many}, prints=lambda: forever(piece))
    ending, _, here = await got(lies, world)
    assert (ending.error, here) == (None, EXPECTED)


@pytest.mark.parametrize("length", [0, 5, 9, 10, 511, 700, 3000])
async def test_streams_that_break_off(world: Path, length: int) -> None:
    """A stream that ends too early is made good for the other way."""
    stream = b"tinycloud\n" + b"".join(GOOD)
    lies = Lies({b"/data": many}, prints=lambda: iter([stream[:length]]))
    ending, _, here = await got(lies, world)
    assert (ending.error, here) == (None, EXPECTED)


async def test_a_stream_of_links_and_then_through_them(world: Path) -> None:
    """A link in a stream, and a file that goes through it: neither appears."""
    lies = streaming(
        member(b"file0", b"", b"2", linkname="../../.."), member(b"file0/precious", b"evil")
    )
    ending, _, here = await got(lies, world)
    assert (ending.error, here) == (None, EXPECTED)


@pytest.mark.parametrize("silent", ["open", "read", "close", "scandir"])
async def test_a_node_that_falls_silent_lets_go(world: Path, silent: str) -> None:
    """Cancelled while a node answers neither this nor the closing, `get` ends all the same."""
    lies = flat((b"large", Lie(size=1 << 20, content=lambda offset, size: bytes(size))))
    lies.silent = {silent, "close"}
    async with lying(lies) as link:
        task = asyncio.ensure_future(get(link, "/data", world / "here"))
        async with asyncio.timeout(10):
            await lies.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    here = world / "here" / "worker-0"
    assert not here.exists() or names(here) <= {b"data"}  # the folder, and no half a file


@pytest.mark.parametrize("silent", ["open", "read", "close", "scandir"])
async def test_a_node_that_answers_nothing_is_given_up(
    world: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """Its files fail, with what was asked for, and nothing is left of any under its name."""
    monkeypatch.setattr(silence, "PATIENCE", 0.3)
    large = Lie(size=1 << 20, content=lambda offset, size: bytes(size))
    lies = flat(*((b"large-%d" % i, large) for i in range(20)))
    lies.silent = {silent, "close"}
    async with lying(lies) as link, asyncio.timeout(10):
        ending, _ = await get(link, "/data", world / "here")
    assert ending.state is State.FAILED
    assert "it gave no answer for 0.3 s" in (ending.error or "")
    here = world / "here" / "worker-0" / "data"
    assert not here.exists() or not names(here)
