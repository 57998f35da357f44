"""One library at work on a rack of machines: `libraries.py NAME RACK_OF_ONE RACK ROUNDS`.

Prints in JSON what it took to reach all with new connections, and then over open ones:
seconds, and seconds of this process's processor time, for all machines together. All
get the same: what can be loaded is loaded, one connection has been made before, and 64
handshakes are under way at once where that can be said.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from answers import COMMAND, check
from rack import Rack

HANDSHAKES = 64

Run = Callable[[], str]
"""Runs the command on all machines once, and returns what they printed."""

Library = Callable[[Rack, bool], AbstractContextManager[Run]]
"""Makes what runs commands on a rack; it is told whether to keep connections for the next."""


@contextmanager
def tinycloud(rack: Rack, keep: bool) -> Iterator[Run]:
    """Ours."""
    cloud = rack.cloud()

    async def run() -> str:
        return "".join(result.text for result in (await cloud.execute(COMMAND)).check())

    with asyncio.Runner() as runner:
        if keep:
            runner.run(cloud.__aenter__())
        yield lambda: runner.run(run())
        if keep:
            runner.run(cloud.__aexit__(None, None, None))


@contextmanager
def asyncssh(rack: Rack, keep: bool) -> Iterator[Run]:
    """A gather over asyncssh, which sends the lines that ours sends."""
    from asyncssh import SSHClientConnection, connect, read_private_key
    from bare import answer, options

    given = options(
        port=rack.port,
        username=rack.user,
        host_key=rack.host_key,
        key=read_private_key(rack.key),
    )
    window = asyncio.Semaphore(HANDSHAKES)
    kept: dict[str, SSHClientConnection] = {}

    async def one(address: str, line: str) -> str:
        connection = kept.get(address)
        if connection is None:
            async with window:
                connection = await connect(address, **given)
        try:
            return await answer(connection, line)
        finally:
            if keep:
                kept[address] = connection
            else:
                connection.close()
                await connection.wait_closed()

    async def run() -> str:
        both = zip(rack.addresses, rack.lines, strict=True)
        return "".join(await asyncio.gather(*(one(address, line) for address, line in both)))

    async def close() -> None:
        for connection in kept.values():
            connection.close()
        await asyncio.gather(*(connection.wait_closed() for connection in kept.values()))

    with asyncio.Runner() as runner:
        yield lambda: runner.run(run())
        runner.run(close())


@contextmanager
def parallel_ssh(rack: Rack, keep: bool) -> Iterator[Run]:
    """parallel-ssh, which keeps connections as long as its client lives."""
    from pssh.clients import ParallelSSHClient

    client = ParallelSSHClient(
        list(rack.addresses),
        user=rack.user,
        port=rack.port,
        pkey=rack.key,
        pool_size=HANDSHAKES,
        allow_agent=False,
        identity_auth=False,
    )

    def run() -> str:
        outputs = client.run_command(COMMAND)
        client.join(outputs)
        return "\n".join(line for output in outputs for line in output.stdout)

    yield run


@contextmanager
def fabric(rack: Rack, keep: bool) -> Iterator[Run]:
    """Fabric's groups, which have a thread and a connection for each machine."""
    from fabric import ThreadingGroup
    from paramiko import Ed25519Key

    connect_kwargs = {
        "pkey": Ed25519Key.from_private_key_file(rack.key),
        "look_for_keys": False,
        "allow_agent": False,
    }
    given = {"user": rack.user, "port": rack.port, "connect_kwargs": connect_kwargs}
    # All in one group would knock at the door at once, of which some are not let in.
    starts = range(0, len(rack.addresses), HANDSHAKES)
    some = [rack.addresses[start : start + HANDSHAKES] for start in starts]
    groups = [ThreadingGroup(*addresses, **given) for addresses in some]

    def run() -> str:
        found = [group.run(COMMAND, hide=True, in_stream=False) for group in groups]
        return "".join(result.stdout for results in found for result in results.values())

    yield run
    for group in groups:
        group.close()


LIBRARIES: dict[str, Library] = {
    "tinycloud library": tinycloud,
    "bare asyncssh": asyncssh,
    "parallel-ssh": parallel_ssh,
    "fabric": fabric,
}


def took(rack: Rack, work: Run) -> tuple[float, float]:
    """Return the seconds, and those of the processor, that it takes; check all answers."""
    begun, used = time.perf_counter(), time.process_time()
    found = work()
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    check(found, rack.addresses)
    return seconds, processor


def measured(library: Library, one: Rack, rack: Rack, rounds: int) -> dict[str, float]:
    """Return what it takes over new connections and, the median of some rounds, over open ones."""

    def cold(rack: Rack) -> str:
        with library(rack, False) as run:
            return run()

    cold(one)
    seconds, processor = took(rack, lambda: cold(rack))
    with library(rack, True) as run:
        run()
        warm = [took(rack, run) for _ in range(rounds)]
    return {
        "seconds": seconds,
        "processor": processor,
        "warm seconds": statistics.median(seconds for seconds, _ in warm),
        "warm processor": statistics.median(processor for _, processor in warm),
    }


if __name__ == "__main__":
    name, one, many, rounds = sys.argv[1:]
    print(json.dumps(measured(LIBRARIES[name], Rack.read(one), Rack.read(many), int(rounds))))
