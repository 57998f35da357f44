"""A wire to a server that can be cut, and servers that are no SSH servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Listener:
    """Listens on a port of 127.0.0.1, and counts who is connected."""

    port: int = 0
    accepted: int = 0
    now: int = 0
    most: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """Cut all connections, as a network that fails does: with nothing said."""
        for writer in self.writers:
            writer.transport.abort()

    def hang_up(self) -> None:
        """End all connections, once what was said has arrived."""
        for writer in self.writers:
            writer.close()

    def counted(self, talk: Talk) -> Talk:
        """Return this talk, in which we count who takes part, on whatever port."""

        async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await talk(reader, writer)
            finally:
                self.now -= 1

        return counting

    def freeze(self) -> None:
        """Let nothing through any more of what those who are connected send."""
        for writer in self.writers:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a socket's


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[Listener]:
    """Have a server that talks so to each who connects."""
    listener = Listener()
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        listener.writers.append(writer)
        try:
            await listener.counted(talk)(reader, writer)
        except (OSError, asyncio.CancelledError):  # cut, or we are done
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        await server.wait_closed()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen, and never answer."""
    while await reader.read(65536):
        continue


def say(words: bytes) -> Talk:
    """Say this, and hang up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return talk


def relay(port: int, count: Callable[[int], None] = lambda size: None) -> Talk:
    """Pass everything on to a port of 127.0.0.1, and back; `count` is told what came back."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(_pass(reader, back, lambda size: None)),
                    asyncio.ensure_future(_pass(there, writer, count)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            back.transport.abort()

    return talk


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]
) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            count(len(data))
    except OSError:  # cut
        return
