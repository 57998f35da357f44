"""Stream: output as it comes, in bounded memory, ended when nobody reads on."""

import subprocess
import sys
from contextlib import aclosing

import psutil
import pytest
from clusters import launched

from tinycloud import Output, Result, State
from tinycloud.cloud import Stage, Step

MEASURE = """
import asyncio
from contextlib import aclosing
from tinycloud import Cloud, Group, Output
from tinycloud.drivers.local import Local

def largest():  # not getrusage: it begins with the memory of who forked us
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM:"))

async def main():
    cloud = Cloud([Group("node", 2, Local())], name="big")
    try:
        await cloud.launch()
        before, size, slow = largest(), 0, True
        async with aclosing(cloud.stream("head -c 500000000 /dev/zero")) as events:
            async for event in events:
                if isinstance(event, Output):
                    size += len(event.data)
                else:
                    event.error and print(event.error)
                if slow:  # for a while nobody reads, and the nodes have to wait
                    slow = await asyncio.sleep(0.3)
        print(size, largest() - before)
    finally:
        await cloud.destroy()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_gigabyte_passes_through_little_memory() -> None:
    """Two nodes print 1 GB; reading it all takes some MiB, also when the reader pauses."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    size, growth = map(int, done.stdout.split())
    assert size == 1_000_000_000
    assert growth < 32, f"{growth} MiB"


async def test_events_come_as_they_happen_and_results_last() -> None:
    """The first output is there while the command runs on; a node's result follows its output."""
    async with launched(1) as cloud:
        events = []
        async with aclosing(cloud.stream("echo out; echo err >&2; exit 2")) as stream:
            async for event in stream:
                events.append(event)
        for name in ("master-0", "worker-0"):
            own = [event for event in events if event.node.name == name]
            assert {(e.stream, e.data) for e in own if isinstance(e, Output)} == {
                ("stdout", b"out\n"),
                ("stderr", b"err\n"),
            }
            assert isinstance(own[-1], Result)
            assert (own[-1].state, own[-1].exit_status) == (State.FAILED, 2)
            assert (own[-1].stdout, own[-1].stderr) == (b"", b"")
            assert len([event for event in own if isinstance(event, Result)]) == 1


async def test_to_stop_reading_ends_the_commands() -> None:
    """When the stream is closed early, its commands have ended on all nodes by then."""
    async with launched(1) as cloud:
        pids: dict[str, int] = {}
        async with aclosing(cloud.stream("echo $$; exec sleep 1000")) as stream:
            while len(pids) < 2:
                event = await anext(stream)
                assert isinstance(event, Output)
                pids[event.node.name] = int(event.data)
            assert all(psutil.pid_exists(pid) for pid in pids.values())
        assert not any(psutil.pid_exists(pid) for pid in pids.values())
        assert (await cloud.execute("true")).ok


async def test_who_watches_is_told_of_each_node() -> None:
    """Which nodes it will be is told first, then of each whether it could be connected to."""
    async with launched(2) as cloud:
        steps: list[Step] = []
        names = ["worker-1", "master-0"]
        async with aclosing(cloud.stream("true", names=names, report=steps.append)) as stream:
            ended = {event.node.name async for event in stream if isinstance(event, Result)}
        assert ended == {"master-0", "worker-1"}
        told = [(step.stage, step.node) for step in steps]
        assert told[:2] == [(Stage.PLANNED, "master-0"), (Stage.PLANNED, "worker-1")]
        assert sorted(told[2:]) == [(Stage.CONNECTED, "master-0"), (Stage.CONNECTED, "worker-1")]
        steps.clear()
        await cloud.stop()
        results = await cloud.execute("true", names=["worker-0"], report=steps.append)
        assert [result.state for result in results] == [State.UNREACHABLE]
        assert [step.stage for step in steps] == [Stage.PLANNED, Stage.FAILED]
        assert steps[-1].detail == results[0].error == str(steps[-1].error)
