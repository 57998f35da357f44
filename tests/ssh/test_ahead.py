"""Servers are called while what speaks to them is still being loaded."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from openssh import OpenSSH, free_port

from tinycloud.errors import Unreachable
from tinycloud.fanout import fan_out
from tinycloud.result import State
from tinycloud.ssh import connections as windows

from .client import connections, run, until


class Loading:
    """Stands for the loading of asyncssh, which here takes until it is told to end."""

    def __init__(self, load: Callable[[], Callable[..., Awaitable[Any]]]) -> None:
        self._load = load
        self._may_end = threading.Event()

    def __call__(self) -> Callable[..., Awaitable[Any]]:
        assert self._may_end.wait(60)
        return self._load()

    def end(self) -> None:
        """Let it come to its end."""
        self._may_end.set()


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loading]:
    """As if nothing had been loaded yet."""
    it = Loading(windows._load)
    monkeypatch.setattr(windows, "_load", it)
    monkeypatch.setattr(windows, "_is_loaded", lambda: False)
    yield it
    it.end()


async def test_servers_are_called_while_we_load(server: OpenSSH, loading: Loading) -> None:
    """Connections made meanwhile are those that are used, and no others are made."""
    nodes = [replace(server.node(), id=f"i-{index}", index=index) for index in range(3)]
    async with connections(server) as opened:
        got = asyncio.ensure_future(fan_out(lambda node: opened.get(node, server.login_key), nodes))
        await until(lambda: server.sessions() == 3)
        loading.end()
        links = await got
        assert server.sessions() == 3
        assert (await run(links[0], "echo here")).stdout == b"here\n"


async def test_a_call_that_failed_is_told_of_once_we_have_loaded(
    server: OpenSSH, loading: Loading
) -> None:
    """Where nobody listens it is refused, in the words of any other day."""
    loading.end()
    node = replace(server.node(), port=free_port())
    async with connections(server) as opened:
        with pytest.raises(Unreachable) as caught:
            await opened.get(node, server.login_key)
    assert caught.value.reason == "refused"


async def test_a_call_that_nobody_needs_any_more_is_hung_up(
    server: OpenSSH, loading: Loading
) -> None:
    """Cancelled while we load, no connection is left, and the next one is not harmed."""
    async with connections(server) as opened:
        got = asyncio.ensure_future(opened.get(server.node(), server.login_key))
        await until(lambda: server.sessions() == 1)
        got.cancel()
        await asyncio.wait([got])
        await until(lambda: server.sessions() == 0)
        loading.end()
        link = await opened.get(server.node(), server.login_key)
        assert (await run(link, "true")).state is State.OK
