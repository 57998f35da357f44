"""A node that sends whatever it likes when it is asked for files."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh

from tinycloud.node import Node, Status
from tinycloud.ssh.connect import connect
from tinycloud.ssh.link import Link

FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
SECOND = 1_600_000_000


@dataclass(frozen=True, kw_only=True)
class Lie:
    """What a name is said to be, and what comes when it is read."""

    mode: int = FILE
    size: int | None = 4
    second: int = SECOND
    content: Callable[[int, int], bytes] = lambda offset, size: b"evil"[offset : offset + size]

    @property
    def attributes(self) -> asyncssh.SFTPAttrs:
        """What the server says of it."""
        attrs = asyncssh.SFTPAttrs(permissions=self.mode, mtime=self.second, atime=self.second)
        if self.size is not None:
            attrs.size = self.size
        return attrs


Names = Iterable[tuple[bytes, Lie]]


@dataclass
class Lies:
    """A node full of them: what is in which folder, and what it prints if told to run something."""

    folders: Mapping[bytes, Callable[[], Names]]
    prints: Callable[[], Iterator[bytes]] | None = None
    asked: list[bytes] = field(default_factory=list)
    silent: Collection[str] = ()
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: str) -> None:
        """Return when there is an answer: never, to a request of a silent kind."""
        if request in self.silent:
            self.reached.set()
            await asyncio.Event().wait()

    def find(self, path: bytes) -> Lie:
        """Return what is said of a path."""
        if path in self.folders:
            return Lie(mode=FOLDER)
        folder, _, name = path.rpartition(b"/")
        for known, lie in self.folders.get(folder, lambda: ())():
            if known == name:
                return lie
        raise asyncssh.SFTPNoSuchFile("no such file")


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", lies: Lies) -> None:
        super().__init__(channel)
        self._lies = lies

    def realpath(self, path: bytes) -> bytes:
        return path

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return self._lies.find(path).attributes

    lstat = stat

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name, lie in self._lies.folders[path]():
            yield asyncssh.SFTPName(name, b"", lie.attributes)
            await asyncio.sleep(0)
        await self._lies.answer("scandir")

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        self._lies.asked.append(path)
        await self._lies.answer("open")
        return self._lies.find(path)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        assert isinstance(file_obj, Lie)
        await self._lies.answer("read")
        return file_obj.content(offset, size)

    async def close(self, file_obj: object) -> None:
        await self._lies.answer("close")

    def exit(self) -> None:
        return


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


@asynccontextmanager
async def lying(lies: Lies) -> AsyncIterator[Link]:
    """Have a connection to a node that lies."""
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def run(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        if lies.prints is None:
            process.exit(127)
            return
        try:
            for piece in lies.prints():
                process.stdout.write(piece)
                await process.stdout.drain()
            process.stderr.write(b"end\n")
            process.exit(0)
        except (asyncssh.Error, OSError):  # nobody listens any more
            return

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Server,
        server_host_keys=[key],
        sftp_factory=lambda channel: _Files(channel, lies),
        process_factory=run,
        encoding=None,
    )
    node = Node(
        tag="worker",
        index=0,
        id="liar",
        status=Status.RUNNING,
        address="127.0.0.1",
        port=server.get_port(),
        username="root",
    )
    login = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    link, _ = await connect(
        node, key=login, host_key=key.export_public_key().decode(), accept_new=False
    )
    try:
        yield link
    finally:
        await link.close()
        server.close()
        await server.wait_closed()
