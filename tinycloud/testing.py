"""The contract of drivers as tests that any driver can be put through, yours too.

Write one class, in a file that pytest finds, and run pytest on it:

    class TestMine(DriverContract):
        def driver(self) -> Driver:
            return Mine()
"""

import asyncio
import tempfile
import time
import unittest
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from .driver import Driver
from .errors import ResourcesRemain, TinycloudError, Unreachable
from .fanout import fan_out, to_the_end
from .group import GroupSpec
from .node import Node, Status
from .result import State
from .ssh.connection import Ending
from .ssh.connections import Connections
from .store.keys import LoginKey, make_login_key

LOOK_AGAIN = 0.05
"""Seconds between two looks at machines that are on their way."""


class DriverContract:
    """What every driver must do. A subclass says how to make it, and pytest runs the rest.

    Each test makes machines in clusters of its own, whose names begin with
    `contract`, and destroys them even when it fails.
    """

    timeout: float = 60.0
    """Seconds that machines may take to get from one state to the next."""

    ssh: bool = False
    """Whether the nodes can be reached from here, and their driver knows their host keys."""

    authorized_keys: tuple[str, ...] = ()
    """OpenSSH public key lines for drivers that want at least one."""

    def driver(self) -> Driver:
        """Return a new driver; all that are made here use the same provider and account."""
        raise NotImplementedError("say in your subclass how to make the driver")

    async def lose(self, node: Node) -> None:
        """Make a machine fail or vanish without a word to the driver; a subclass may say how."""
        raise unittest.SkipTest("the test class does not say how to lose a node")

    async def leftovers(self, cluster: str) -> Collection[str]:
        """Return what the provider holds of a destroyed cluster; a subclass may look."""
        return ()

    def test_prepare_twice_is_prepare_once(self) -> None:
        """Preparing makes no nodes, and may be done again."""

        async def check(stage: Stage) -> None:
            spec = stage.spec("worker", 2)
            await stage.driver.prepare(spec)
            await stage.driver.prepare(spec)
            assert await stage.driver.list(spec) == ()

        self._play(check)

    def test_a_group_that_was_never_started_is_empty(self) -> None:
        """Of what is not there nothing is listed, and stopping or destroying it is no error."""

        async def check(stage: Stage) -> None:
            spec = stage.spec("worker", 2)
            assert await stage.driver.list(spec) == ()
            assert await stage.driver.status(spec) == ()
            await stage.driver.stop(spec)
            await stage.driver.destroy(spec)
            assert await stage.driver.list(spec) == ()

        self._play(check)

    def test_start_makes_the_nodes(self) -> None:
        """A started group has nodes 0 to count - 1, each with an id of its own."""

        async def check(stage: Stage) -> None:
            spec = stage.spec("worker", 3)
            nodes = await stage.started(spec)
            assert isinstance(nodes, tuple)
            assert [node.index for node in nodes] == [0, 1, 2]
            assert {node.tag for node in nodes} == {"worker"}
            assert len({node.id for node in nodes}) == 3
            assert all(node.id for node in nodes)
            assert nodes_alike(await stage.driver.list(spec), nodes)

        self._play(check)
