"""`Cloud.put` and `Cloud.get`: many nodes at once, each of which ends in exactly one state."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from clusters import kill, launched, local

from tinycloud import GroupSpec, InvalidInput, NoSuchCluster, Results, State
from tinycloud.ssh.files.progress import Progress


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with small files and a large one."""
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    for index in range(50):
        (folder / "deep" / f"{index}").write_bytes(os.urandom(2000))
    (folder / "large").write_bytes(os.urandom(600_000))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def states(results: Results) -> dict[str, str]:
    """Return how each node ended."""
    return {result.node.name: str(result.state) for result in results}


async def test_there_and_back(source: Path, tmp_path: Path) -> None:
    """What is put on all nodes can be got from all nodes, each into a folder of its own."""
    async with launched(2) as cloud, cloud:
        put = (await cloud.put(source, "data/")).check()
        got = (await cloud.get("data/source", tmp_path / "back")).check()
    assert states(put) == dict.fromkeys(("master-0", "worker-0", "worker-1"), "ok")
    assert [result.node for result in got] == [result.node for result in put]
    assert all(result.duration > 0 for result in (*put, *got))
    assert {path.name for path in (tmp_path / "back").iterdir()} == set(states(put))
    for name in states(put):
        assert tree(tmp_path / "back" / name / "source") == tree(source)


async def test_only_those_chosen(source: Path, tmp_path: Path) -> None:
    """`tag` and `index` choose nodes, and no others are touched."""
    async with launched(2) as cloud, cloud:
        put = await cloud.put([source / "large"], "here/", tag="worker", index=1)
        found = await cloud.execute("ls here")
        got = await cloud.get("here", str(tmp_path / "back"), tag="worker", index=[1])
    assert states(put) == states(got) == {"worker-1": "ok"}
    assert [result.ok for result in found] == [False, False, True]


async def test_progress(source: Path) -> None:
    """Progress is told for each node, and adds up to all there was; unchanged files are apart."""
    told: dict[str, Progress] = {}

    def report(progress: Progress) -> None:
        assert progress.files <= progress.of_files
        told[progress.node] = progress

    async with launched(1) as cloud, cloud:
        await cloud.put(source, "data", report=report)
        first = dict(told)
        await cloud.put(source, "data", report=report)
    size = sum(map(len, tree(source).values()))
    assert first.keys() == {"master-0", "worker-0"}
    for progress in first.values():
        assert (progress.files, progress.of_files) == (51, 51)
        assert (progress.bytes, progress.of_bytes) == (size, size)
    for progress in told.values():
        assert (progress.of_files, progress.of_bytes, progress.unchanged) == (0, 0, 51)


async def test_what_is_left_out_is_told(source: Path) -> None:
    """What can't be sent is told once, and belongs to no node."""
    (source / "dangling").symlink_to("nowhere")
    told: list[Progress] = []
    async with launched(1) as cloud:
        (await cloud.put(source, "data", report=told.append)).check()
    remarks = [progress for progress in told if progress.remark]
    assert [(p.node, p.remark) for p in remarks] == [
        ("", f"passed over {source}/dangling: a link that leads nowhere")
    ]


async def test_every_node_has_its_state(source: Path, tmp_path: Path) -> None:
    """One that is dead, one that refuses and one that is well: none keeps another from it."""
    async with launched(3) as cloud:
        nodes = {node.name: node for node in await cloud.list()}
        (await cloud.execute("mkdir data", tag="worker", index=0)).check()
        (await cloud.execute("touch data", tag="worker", index=1)).check()
        kill(nodes["worker-2"])
        put = await cloud.put(source, "data/")
        got = await cloud.get("data/source", tmp_path / "back")
    wanted = {"master-0": "ok", "worker-0": "ok", "worker-1": "failed", "worker-2": "unreachable"}
    assert states(put) == states(got) == wanted
    assert "data" in (put[2].error or "")
    assert got[2].error == "can't get data/source: no such file or folder"
    assert {path.name for path in (tmp_path / "back").iterdir()} == {"master-0", "worker-0"}


async def test_a_node_that_dies_in_between(source: Path) -> None:
    """A node that dies in the middle is lost; the others get everything."""
    (source / "large").write_bytes(os.urandom(40_000_000))
    async with launched(1) as cloud:
        nodes = {node.name: node for node in await cloud.list()}
        killed = False

        def report(progress: Progress) -> None:
            nonlocal killed
            if progress.node == "worker-0" and progress.bytes > 5_000_000 and not killed:
                killed = True
                kill(nodes["worker-0"])

        results = await cloud.put(source, "data", report=report)
    assert states(results) == {"master-0": "ok", "worker-0": "lost"}
    assert "the connection was lost" in (results[1].error or "")


async def test_a_node_that_is_gone(source: Path, tmp_path: Path) -> None:
    """A machine that should be there and is not, is gone."""
    async with launched(1) as cloud:
        async with cloud.groups[1].driver as driver:
            await driver.destroy(GroupSpec(cluster=cloud.name, tag="worker", count=1))
        put = await cloud.put(source, "data")
        got = await cloud.get("data/large", tmp_path / "back")
    assert states(put) == states(got) == {"master-0": "ok", "worker-0": "gone"}


async def test_a_limit(source: Path) -> None:
    """With a limit of one node at a time, one is done before the next begins."""
    order: list[str] = []

    def report(progress: Progress) -> None:
        if not order or order[-1] != progress.node:
            order.append(progress.node)

    async with launched(2) as cloud, cloud:
        (await cloud.put(source, "data", limit=1, report=report)).check()
    assert order == ["master-0", "worker-0", "worker-1"]


async def test_bad_input(source: Path, tmp_path: Path) -> None:
    """What makes no sense is refused before any node is asked."""
    cloud = local(1)
    for local_, remote in ((source / "nothing", "x"), ([], "x"), (source, ""), (source, "~bob/x")):
        with pytest.raises(InvalidInput):
            await cloud.put(local_, remote)
    for remote in ("", "x\ny", "~bob/x"):
        with pytest.raises(InvalidInput):
            await cloud.get(remote, tmp_path / "here")
    for work in (cloud.put(source, "x"), cloud.get("x", tmp_path / "here")):
        with pytest.raises(NoSuchCluster):
            await work
    assert "here" not in os.listdir(tmp_path)


async def test_many_at_once_over_one_connection(source: Path, tmp_path: Path) -> None:
    """A dozen transfers at once share a warm connection, and none waits for another for ever."""
    async with launched(0) as cloud, cloud:
        puts = await asyncio.gather(*(cloud.put(source, f"data{i}") for i in range(12)))
        assert all(results.ok for results in puts)
        gets = await asyncio.gather(
            *(cloud.get(f"data{i}", tmp_path / f"back{i}") for i in range(12))
        )
        assert all(results.ok for results in gets)
        assert (await cloud.execute("echo still there"))[0].text == "still there\n"
    for index in range(12):
        assert tree(tmp_path / f"back{index}/master-0/data{index}") == tree(source)


async def test_cancelled(source: Path) -> None:
    """Cancelled, it leaves no half of a file and no task; the cluster goes on working."""
    (source / "large").write_bytes(os.urandom(40_000_000))
    async with launched(1) as cloud, cloud:
        begun = asyncio.Event()

        def report(progress: Progress) -> None:
            if progress.bytes > 5_000_000:
                begun.set()

        task = asyncio.ensure_future(cloud.put(source, "data", report=report))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = await cloud.execute("ls -A data | grep -v deep")
        assert [result.stdout for result in left] == [b"", b""]
        (await cloud.put(source, "data")).check()


async def test_a_folder_that_nobody_asked_for(tmp_path: Path) -> None:
    """If no node has what is asked for, the folder here stays empty."""
    async with launched(1) as cloud:
        results = await cloud.get("nothing", tmp_path / "here")
    assert [result.state for result in results] == [State.FAILED, State.FAILED]
    assert list((tmp_path / "here").iterdir()) == []
    shutil.rmtree(tmp_path / "here")
