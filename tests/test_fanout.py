"""The fan-out: in order, bounded, and nothing that it started outlives it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from tinycloud import fanout
from tinycloud.fanout import (
    WAITING,
    Put,
    alongside,
    fan_out,
    insistently,
    stream_out,
    to_the_end,
)


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No task may be left when a test ends."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Door:
    """Lets nobody through until it is opened; counts who waits, and who was turned away."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._news = asyncio.Event()
        self.inside = self.most = self.came = self.cancelled = 0

    async def enter(self, item: int) -> int:
        """Wait at the door, and return the item."""
        self.came += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self._news.set()
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(0)  # a clean-up that takes its time
            raise
        finally:
            self.inside -= 1
        return item

    async def until(self, waiting: int) -> None:
        """Wait until so many are inside."""
        while self.inside < waiting:
            self._news.clear()
            await self._news.wait()

    def open(self) -> None:
        """Let all through."""
        self._open.set()


async def test_results_are_in_the_order_of_items() -> None:
    """Whoever ends first, results are in the order of the items."""
    turns = {0: 5, 1: 0, 2: 3}

    async def work(item: int) -> int:
        for _ in range(turns[item]):
            await asyncio.sleep(0)
        return item

    assert await fan_out(work, (i for i in range(3))) == (0, 1, 2)


async def test_no_items_is_no_work() -> None:
    """Nothing to do gives no results."""
    assert await fan_out(Door().enter, []) == ()


async def test_all_run_at_once_unless_limited() -> None:
    """Without a limit every item is begun before the first ends."""
    door = Door()
    task = asyncio.ensure_future(fan_out(door.enter, range(100)))
    await door.until(100)
    door.open()
    assert await task == tuple(range(100))


async def test_a_limit_bounds_what_runs_at_once() -> None:
    """With a limit so many are at work at a time, and all get their turn."""
    door = Door()
    task = asyncio.ensure_future(fan_out(door.enter, range(10), limit=3))
    await door.until(3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert door.came == 3
    door.open()
    assert await task == tuple(range(10))
    assert door.most == 3


async def test_a_bug_stops_all_and_is_raised_once_they_ended() -> None:
    """An exception cancels the others, waits for their clean-up, and comes out itself."""
    door = Door()

    async def work(item: int) -> int:
        if item == 7:
            await door.until(9)
            raise ZeroDivisionError("the bug")
        return await door.enter(item)

    with pytest.raises(ZeroDivisionError, match="the bug"):
        await fan_out(work, range(10))
    assert (door.cancelled, door.inside) == (9, 0)


async def test_a_cancellation_stops_all_and_waits_for_them() -> None:
    """Cancelled, it cancels every item and ends after the last of them."""
    door = Door()
    task = asyncio.ensure_future(fan_out(door.enter, range(10)))
    await door.until(10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (door.cancelled, door.inside) == (10, 0)


async def test_a_cancelled_item_stops_the_others() -> None:
    """An item that is cancelled from outside does not leave the rest running."""
    door = Door()

    async def work(item: int) -> int:
        if item == 0:
            await door.until(2)
            raise asyncio.CancelledError
        return await door.enter(item)

    with pytest.raises(asyncio.CancelledError):
        await fan_out(work, range(3))
    assert door.inside == 0


async def test_a_bug_goes_before_a_cancellation() -> None:
    """What goes wrong while all is being stopped is not lost."""
    door = Door()

    async def work(item: int) -> int:
        try:
            return await door.enter(item)
        finally:
            if item == 1:
                raise ZeroDivisionError

    task = asyncio.ensure_future(fan_out(work, range(3)))
    await door.until(3)
    task.cancel()
    with pytest.raises(ZeroDivisionError):
        await task
    assert door.inside == 0


async def test_items_that_fail_to_come_start_nothing() -> None:
    """If the items themselves raise half-way, nothing was begun."""
    door = Door()
    with pytest.raises(ZeroDivisionError):
        await fan_out(door.enter, (1 // (1 - i) for i in range(3)))
    assert door.came == 0


async def test_to_the_end_returns_and_raises_what_the_work_does() -> None:
    """Undisturbed it is the same as awaiting the work."""

    async def good() -> int:
        return 3

    async def bad() -> int:
        raise LookupError

    assert await to_the_end(good()) == 3
    with pytest.raises(LookupError):
        await to_the_end(bad())


async def test_to_the_end_outlives_any_number_of_cancellations() -> None:
    """The work is done before the cancellation is raised, however often it comes."""
    door = Door()
    task = asyncio.ensure_future(to_the_end(door.enter(1)))
    await door.until(1)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    door.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (door.cancelled, door.inside) == (0, 0)


async def test_what_the_work_raises_goes_before_a_cancellation() -> None:
    """If both happen, the error of the work is what comes out: it may say what remains."""
    door = Door()

    async def work() -> None:
        await door.enter(1)
        raise LookupError

    task = asyncio.ensure_future(to_the_end(work()))
    await door.until(1)
    task.cancel()
    await asyncio.sleep(0)
    door.open()
    with pytest.raises(LookupError):
        await task


async def test_alongside_ends_with_the_first() -> None:
    """It returns what the main work does; the other is cancelled, and has ended by then."""
    door, other = Door(), Door()
    task = asyncio.ensure_future(alongside(door.enter(1), other.enter(2)))
    await door.until(1)
    await other.until(1)
    door.open()
    assert await task == 1
    assert (other.cancelled, other.inside) == (1, 0)


async def test_alongside_goes_on_when_the_other_has_ended() -> None:
    """The other may end before the main work, which is then still awaited."""

    async def nothing() -> None:
        """End at once."""

    door = Door()
    task = asyncio.ensure_future(alongside(door.enter(1), nothing()))
    await door.until(1)
    door.open()
    assert await task == 1


async def test_alongside_either_failure_ends_both() -> None:
    """Whichever fails, the other is cancelled and has ended before that is raised."""

    async def fail() -> None:
        await door.until(1)
        raise ZeroDivisionError

    for first in (True, False):
        door = Door()
        works = (fail(), door.enter(1)) if first else (door.enter(1), fail())
        with pytest.raises(ZeroDivisionError):
            await alongside(*works)
        assert (door.cancelled, door.inside) == (1, 0)


async def test_alongside_is_cancelled_as_a_whole() -> None:
    """Cancelled, it has both ended before it is."""
    door, other = Door(), Door()
    task = asyncio.ensure_future(alongside(door.enter(1), other.enter(2)))
    await door.until(1)
    await other.until(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (door.cancelled, other.cancelled, door.inside, other.inside) == (1, 1, 0, 0)


async def test_a_stream_yields_all_that_is_put() -> None:
    """Each thing comes out once, those of one item in their order."""

    async def work(item: int, put: Put[tuple[int, int]]) -> None:
        for number in range(100):
            await put((item, number))

    found = [thing async for thing in stream_out(work, range(5))]
    assert len(found) == 500
    for item in range(5):
        assert [n for i, n in found if i == item] == list(range(100))


async def test_a_stream_waits_for_its_reader() -> None:
    """While nobody reads, no more than so many things are made."""
    made = 0

    async def work(item: int, put: Put[int]) -> None:
        nonlocal made
        while made < 10 * WAITING:
            made += 1
            await put(item)

    async with aclosing(stream_out(work, [1, 2])) as stream:
        await anext(stream)
        for _ in range(10 * WAITING):
            await asyncio.sleep(0)
        assert made <= WAITING + 4


async def test_a_stream_that_is_closed_early_ends_the_work_first() -> None:
    """When the reader stops, all work is cancelled and has ended before the stream is closed."""
    door = Door()

    async def work(item: int, put: Put[int]) -> None:
        await put(item)
        await door.enter(item)

    async with aclosing(stream_out(work, range(5))) as stream:
        await anext(stream)
        await door.until(5)
    assert (door.cancelled, door.inside) == (5, 0)


async def test_a_reader_that_is_cancelled_ends_the_work_first() -> None:
    """Cancelling who reads cancels all work, and waits for it."""
    door = Door()

    async def work(item: int, put: Put[int]) -> None:
        await door.enter(item)

    async def read() -> None:
        async with aclosing(stream_out(work, range(5))) as stream:
            async for _ in stream:
                pass

    task = asyncio.ensure_future(read())
    await door.until(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (door.cancelled, door.inside) == (5, 0)


async def test_a_bug_comes_out_of_the_stream() -> None:
    """What was put before a bug is read, and then the bug is raised."""

    async def work(item: int, put: Put[int]) -> None:
        await put(item)
        raise ZeroDivisionError

    stream = stream_out(work, [1])
    assert await anext(stream) == 1
    with pytest.raises(ZeroDivisionError):
        await anext(stream)


async def test_a_bug_in_the_clean_up_is_not_lost() -> None:
    """A bug that shows only as the stream is closed early is raised by the closing."""
    door = Door()

    async def work(item: int, put: Put[int]) -> None:
        await put(item)
        try:
            await door.enter(item)
        finally:
            raise ZeroDivisionError

    stream = stream_out(work, [1])
    await anext(stream)
    await door.until(1)
    with pytest.raises(ZeroDivisionError):
        await stream.aclose()


async def test_work_that_never_tidies_up_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clean-up that waits for ever is broken off, in all of the work's own tasks."""
    monkeypatch.setattr(fanout, "AGAIN", 0.01)
    door = Door()

    async def work(item: int) -> None:
        try:
            await door.enter(item)
        finally:
            await asyncio.Event().wait()

    task = asyncio.ensure_future(insistently(fan_out(work, range(3))))
    await door.until(3)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (door.cancelled, door.inside) == (3, 0)


async def test_insistent_work_returns_and_raises_what_it_does() -> None:
    """Not cancelled, it is as if awaited by itself; a bug of its clean-up is raised."""
    door = Door()

    async def bad() -> None:
        try:
            await door.enter(0)
        finally:
            raise ZeroDivisionError

    assert await insistently(asyncio.sleep(0, 3)) == 3
    task = asyncio.ensure_future(insistently(bad()))
    await door.until(1)
    task.cancel()
    with pytest.raises(ZeroDivisionError):
        await task
