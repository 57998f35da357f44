"""One command over many nodes that goes on, or not, when some of them fail."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
from clusters import kill, launched
from test_execute import all_written

from tinycloud import InvalidInput, Output, Result, Results, State, Stop
from tinycloud.store import ClusterFolder

FAILS_ON_1 = "echo $TINYCLOUD_NODE; test $TINYCLOUD_NODE != worker-1"


def states(results: Results) -> dict[str, str]:
    """Return the state of each node."""
    return {result.node.name: str(result.state) for result in results}


async def test_batches_stop_where_one_fails() -> None:
    """The first batch that has a failure is the last: the rest is skipped, and says why."""
    async with launched(4) as cloud, cloud:
        results = await cloud.execute(FAILS_ON_1, serial="1,2,100%")
        assert states(results) == {
            "master-0": "ok",
            "worker-0": "ok",
            "worker-1": "failed",
            "worker-2": "skipped",
            "worker-3": "skipped",
        }
        assert {r.error for r in results[3:]} == {"not tried: worker-1 failed"}
        assert sum(results.counts.values()) == len(results) == 5
        assert not results.ok
        results = await cloud.execute(FAILS_ON_1, serial=[1, "40%"], max_fail="20%")
        assert results.counts == {State.OK: 4, State.FAILED: 1}


async def test_batches_begin_one_after_the_other(tmp_path: Path) -> None:
    """No node of a batch begins before all of the one before have ended."""
    command = f"mkdir {tmp_path}/taken && sleep 0.05 && rmdir {tmp_path}/taken"
    async with launched(3) as cloud, cloud:
        assert (await cloud.execute(command, serial=1)).ok
        events = [event async for event in cloud.stream("echo on", serial=(2, 2))]
        ended = [event.node.name for event in events if isinstance(event, Result)]
        assert set(ended[:2]) == {"master-0", "worker-0"}
        assert set(ended[2:]) == {"worker-1", "worker-2"}


async def test_no_more_begin_when_too_many_have_failed() -> None:
    """Also within a batch: who waits for a turn is skipped."""
    async with launched(4) as cloud, cloud:
        results = await cloud.execute("exit 3", limit=1, max_fail=1)
        assert list(states(results).values()) == ["failed", "failed", *3 * ["skipped"]]
        assert results[-1].error == "not tried: 2 nodes failed, 1 may"


async def test_fail_fast_ends_what_runs(tmp_path: Path) -> None:
    """The first failure ends the commands on all other nodes, before this returns."""
    command = f"""
        echo $$ > {tmp_path}/$TINYCLOUD_NODE
        test $TINYCLOUD_NODE = worker-1 || exec sleep 1000
        until test $(cat {tmp_path}/*-* | wc -l) = 4; do sleep 0.05; done; exit 3
    """
    async with launched(3) as cloud, cloud:
        results = await cloud.execute(command, fail_fast=True)
        pids = await all_written(tmp_path, 4)
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []
        assert Counter(states(results).values()) == {"signalled": 3, "failed": 1}
        assert {r.error for r in results if r.state is State.SIGNALLED} == {
            "ended early: worker-1 failed"
        }
        assert all(result.confirmed for result in results)


async def test_an_unreachable_node_counts_as_failed() -> None:
    """A node that can't be reached fails fast, too."""
    async with launched(2) as cloud:
        (node, *_) = [n for n in await cloud.list("worker") if n.index == 1]
        kill(node)
        results = await cloud.execute("sleep 1000", fail_fast=True)
        assert states(results)["worker-1"] == "unreachable"
        assert set(states(results).values()) <= {"unreachable", "signalled", "skipped"}


async def test_a_stop_leaves_results(tmp_path: Path) -> None:
    """Stopped, a stream ends its commands and gives the result of each, with what was printed."""
    command = f"echo on; echo $$ > {tmp_path}/$TINYCLOUD_NODE; exec sleep 1000"
    async with launched(2) as cloud, cloud:
        stop, events = Stop(), []
        async with aclosing(cloud.stream(command, limit=2, stop=stop)) as stream:
            async for event in stream:
                events.append(event)
                if sum(isinstance(event, Output) for event in events) == 2 and not stop.why:
                    pids = await all_written(tmp_path, 2)
                    assert stop.is_heeded
                    stop("I have seen enough")
        results = Results(event for event in events if isinstance(event, Result))
        assert Counter(states(results).values()) == {"signalled": 2, "skipped": 1}
        assert {result.error for result in results} == {
            "ended early: I have seen enough",
            "not tried: I have seen enough",
        }
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []
        assert not stop.is_heeded
        assert set(states(await cloud.execute("true", stop=stop)).values()) == {"skipped"}
        assert (await cloud.execute("true")).ok


async def test_one_call_that_fails_fast_does_not_stop_another() -> None:
    """A `Stop` given to two calls is only called by who has it."""
    async with launched(0) as cloud, cloud:
        stop = Stop()
        assert not (await cloud.execute("false", fail_fast=True, stop=stop)).ok
        assert stop.why is None
        assert (await cloud.execute("true", stop=stop)).ok


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    """Yield these."""
    for piece in data:
        yield piece


async def test_all_read_the_same_input() -> None:
    """What is read once comes to all nodes, byte for byte; one that does not read holds nobody."""
    data = bytes(range(256)) * 40_000
    command = "test $TINYCLOUD_NODE = worker-0 && exit 3; cksum"
    async with launched(2) as cloud, cloud:
        for given in (data, chunks(data[:5], data[5:])):
            results = await cloud.execute(command, input=given)
            assert list(states(results).values()) == ["ok", "failed", "ok"]
            sums = {result.stdout.split()[1] for result in results if result.ok}
            assert sums == {b"%d" % len(data)}


async def test_an_input_does_not_wait_for_a_node_that_is_not_there() -> None:
    """A node that can't be reached holds the input back for nobody."""
    data = bytes(10_000_000)
    async with launched(2) as cloud:
        nodes = {node.name: node for node in await cloud.list()}
        kill(nodes["worker-0"])
        ClusterFolder("voltron").pin(nodes["worker-1"].id, nodes["worker-0"].host_key or "")
        results = await cloud.execute("wc -c", input=chunks(data))
        assert list(states(results).values()) == ["ok", "unreachable", "untrusted"]
        assert results[0].text.strip() == str(len(data))


async def test_a_shared_input_needs_all_at_once() -> None:
    """What can be read only once can't be for nodes that come later; bytes can."""
    async with launched(1) as cloud, cloud:
        for options in ({"limit": 1}, {"serial": 1}):
            with pytest.raises(InvalidInput, match="at the same time"):
                await cloud.execute("cat", input=chunks(b"x"), **options)  # type: ignore[arg-type]
            results = await cloud.execute("cat", input=b"x", **options)  # type: ignore[arg-type]
            assert [result.stdout for result in results] == [b"x", b"x"]
        assert (await cloud.execute("cat", input=chunks(b"x"), limit=2)).ok
        with pytest.raises(InvalidInput, match="can't read str"):
            await cloud.execute("cat", input="x")  # type: ignore[arg-type]


async def test_a_cancelled_execute_with_input_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled while its input waits for more, it leaves no process and no task."""

    async def waiting() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    command = f"echo $$ > {tmp_path}/$TINYCLOUD_NODE; exec cat"
    async with launched(1) as cloud:
        task = asyncio.ensure_future(cloud.execute(command, input=waiting()))
        pids = await all_written(tmp_path, 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_path_is_that_of_a_script(tmp_path: Path) -> None:
    """A script here runs there, with the variables of each node."""
    script = tmp_path / "script.py"
    script.write_text(
        "#!/usr/bin/env python3\nimport os\n"
        + "# padding\n" * 30_000
        + 'print(os.environ["TINYCLOUD_RANK"], os.environ["TINYCLOUD_COUNT"])\n'
    )
    async with launched(2) as cloud, cloud:
        results = await cloud.execute(script)
        assert [result.stdout for result in results] == [b"0 3\n", b"1 3\n", b"2 3\n"]
        with pytest.raises(InvalidInput, match="can't read"):
            await cloud.execute(tmp_path / "none")


async def test_each_node_knows_the_others() -> None:
    """Every variable reaches the commands; a setup script has those that are known by then."""
    setup = "env | grep ^TINYCLOUD_ | sort > known"
    async with launched(1, setup=setup) as cloud, cloud:
        expected = {
            "TINYCLOUD_CLUSTER=voltron",
            "TINYCLOUD_NODE=worker-0",
            "TINYCLOUD_TAG=worker",
            "TINYCLOUD_INDEX=0",
            "TINYCLOUD_ADDRESS=127.0.0.1",
            "TINYCLOUD_RANK=1",
            "TINYCLOUD_COUNT=2",
        }
        (result,) = await cloud.execute("cat known", tag="worker")
        assert expected == {line for line in result.text.split() if "_NODE_ID=" not in line}
        (result,) = await cloud.execute(
            'echo "$TINYCLOUD_ADDRESSES|$TINYCLOUD_MASTER"', tag="worker"
        )
        assert result.text == "master-0=127.0.0.1 worker-0=127.0.0.1|127.0.0.1\n"


async def endless(asked: list[int]) -> AsyncIterator[bytes]:
    """Yield input without an end, and count how much was asked for."""
    while True:
        asked.append(1)
        yield bytes(65536)
        await asyncio.sleep(0)


async def test_a_command_that_wants_no_more_input_holds_nobody() -> None:
    """One node closes its input and goes on, one ends: the third still gets all it wants."""
    command = """case $TINYCLOUD_RANK in
        0) exec <&-; sleep 1;; 1) exit 3;; 2) head -c 30000000 | wc -c;;
    esac"""
    async with launched(2) as cloud:
        results = await cloud.execute(command, input=endless([]), timeout=60)
        assert list(states(results).values()) == ["ok", "failed", "ok"]
        assert results[2].text.strip() == "30000000"


MEASURE = """
import asyncio
from tinycloud import Cloud, Group
from tinycloud.drivers.local import Local

def largest():  # not getrusage: it begins with the memory of who forked us
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM:"))

async def endless():
    piece = bytes(1_000_000)
    for _ in range(100):
        yield piece

async def main():
    cloud = Cloud([Group("node", 3, Local())], name="big")
    try:
        await cloud.launch()
        async with cloud:
            await cloud.execute("cat > /dev/null", input=b"x")
            before = largest()
            results = await cloud.execute(
                "test $TINYCLOUD_INDEX = 0 && sleep 2; wc -c", input=endless()
            )
        print(*(int(result.stdout) for result in results.check()), largest() - before)
    finally:
        await cloud.destroy()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_input_passes_through_little_memory() -> None:
    """100 MB go to three nodes, of which one does not read for a while, and take some MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    *sizes, growth = map(int, done.stdout.split())
    assert sizes == 3 * [100_000_000]
    assert growth < 48, f"{growth} MiB"
