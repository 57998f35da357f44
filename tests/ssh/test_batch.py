"""Fewer, larger pieces: what is written in one turn of the event loop goes out together."""

import asyncio

import pytest

from tinycloud.ssh.batch import LARGE, Batch


class Recorded(asyncio.Transport):
    """A transport that keeps what is written, until it is broken."""

    def __init__(self) -> None:
        super().__init__({"peername": ("198.51.100.7", 22)})
        self.pieces: list[bytes] = []
        self.broken = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.broken:
            raise BrokenPipeError
        self.pieces.append(bytes(data))


@pytest.fixture
def transport() -> Recorded:
    """What a batch stands in front of."""
    return Recorded()


async def turn() -> None:
    """Let the event loop come to its next turn."""
    await asyncio.sleep(0)


async def test_what_is_written_in_one_turn_goes_out_in_one_piece(transport: Recorded) -> None:
    """Small pieces are put together in their order, and none waits for longer than that."""
    batch = Batch(transport)
    for data in (b"one ", b"two ", b"three"):
        batch.write(data)
    assert transport.pieces == []
    await turn()
    batch.write(b"four")
    await turn()
    assert transport.pieces == [b"one two three", b"four"]


async def test_large_pieces_are_not_held_back(transport: Recorded) -> None:
    """No more than so many bytes ever wait, and their order stays."""
    batch = Batch(transport)
    batch.write(b"before")
    batch.write(b"x" * LARGE)
    assert transport.pieces == [b"before" + b"x" * LARGE]
    batch.write(b"after")
    await turn()
    await turn()
    assert transport.pieces[1:] == [b"after"]


async def test_last_words_are_said_before_a_connection_is_given_up(transport: Recorded) -> None:
    """What is written before the end is asked for, in the loop's next turn, still goes out."""
    batch = Batch(transport)
    batch.write(b"goodbye")
    asyncio.get_running_loop().call_soon(setattr, transport, "broken", True)
    await turn()
    assert transport.pieces == [b"goodbye"]


async def test_a_broken_connection_is_for_its_protocol_to_hear_of(transport: Recorded) -> None:
    """Bytes that come too late vanish, and are no error in the event loop."""
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    batch = Batch(transport)
    batch.write(b"too late")
    transport.broken = True
    await turn()
    assert (transport.pieces, problems) == ([], [])


async def test_all_else_is_asked_of_the_transport(transport: Recorded) -> None:
    """Whoever is at the other end is still known."""
    assert Batch(transport).get_extra_info("peername") == ("198.51.100.7", 22)
