"""One input for many: all get all of it, and nobody far ahead of the others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tinycloud.cloud.broadcast import AHEAD, PIECE, Broadcast
from tinycloud.fanout import alongside, fan_out


class Source:
    """Endless or not, it counts how much was asked of it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.given < self.count:
            self.given += 1
            yield bytes([self.given % 256]) * PIECE


async def whole(broadcast: Broadcast, name: str) -> bytes:
    """Read it all."""
    got = b"".join([piece async for piece in broadcast.read(name)])
    broadcast.leave(name)
    return got


async def test_all_get_all() -> None:
    """Every reader gets the same, however much there is of it."""
    count = 3 * AHEAD // PIECE
    broadcast = Broadcast(Source(count), "abc")
    found = await alongside(fan_out(lambda n: whole(broadcast, n), "abc"), broadcast.pump())
    expected = b"".join([piece async for piece in Source(count)])
    assert [len(one) for one in found] == 3 * [len(expected)]
    assert set(found) == {expected}


async def test_nothing() -> None:
    """Of an empty input there is an end."""
    broadcast = Broadcast(Source(0), "a")
    assert await alongside(whole(broadcast, "a"), broadcast.pump()) == b""


async def test_the_slowest_holds_the_others_back() -> None:
    """A reader that does not read stops those ahead of it, until it leaves."""
    source = Source(10 * AHEAD // PIECE)
    broadcast = Broadcast(source, ["quick", "slow"])
    got = 0

    async def quick() -> None:
        nonlocal got
        async for piece in broadcast.read("quick"):
            got += len(piece)

    async def watch() -> None:
        for _ in range(5000):
            await asyncio.sleep(0)
        assert got == AHEAD
        assert source.given * PIECE <= AHEAD + PIECE
        broadcast.leave("slow")

    await alongside(alongside(quick(), broadcast.pump()), watch())
    assert got == 10 * AHEAD


async def test_without_readers_nobody_reads_on() -> None:
    """When the last reader has left, the source is asked for no more."""
    source = Source(10 * AHEAD // PIECE)
    broadcast = Broadcast(source, "a")
    broadcast.leave("a")
    await broadcast.pump()
    assert source.given == 1


async def test_a_large_piece_is_cut() -> None:
    """What comes as one large piece is handed on in small ones."""

    async def large() -> AsyncIterator[bytes]:
        yield bytes(AHEAD + 7)

    broadcast = Broadcast(large(), "a")
    sizes: list[int] = []

    async def read() -> None:
        async for piece in broadcast.read("a"):
            sizes.append(len(piece))

    await alongside(read(), broadcast.pump())
    assert sum(sizes) == AHEAD + 7
    assert max(sizes) == PIECE


async def test_a_source_that_fails() -> None:
    """What the source raises comes out, and all readers are stopped."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    broadcast = Broadcast(failing(), "ab")
    with pytest.raises(ZeroDivisionError):
        await alongside(fan_out(lambda n: whole(broadcast, n), "ab"), broadcast.pump())
