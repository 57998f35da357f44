"""Execute: one command on many nodes, each of which ends in exactly one state."""

import asyncio
import os
import stat
from pathlib import Path

import psutil
import pytest
from clusters import destroyed_after, files, kill, launched, local
from machines import Memory, Provider, Troubled, fail

from tinycloud import Cloud, Group, InvalidInput, NoSuchCluster, ProviderError, State, Status
from tinycloud.drivers.local import Local
from tinycloud.store import ClusterFolder
from tinycloud.store.keys import make_login_key

EACH_ITS_OWN = """case $TINYCLOUD_NODE in
    worker-1) echo no >&2; exit 3 ;;
    worker-2) kill -9 $$ ;;
    worker-3) echo before; sleep 100 ;;
    worker-6) echo before; sleep 0.3; kill -9 $PPID; sleep 100 ;;
esac"""


async def test_every_node_ends_in_the_state_that_is_true_of_it() -> None:
    """In one run over a bad day's cluster: the eight states that a command can end in."""
    async with launched(8) as cloud:
        nodes = {node.name: node for node in await cloud.list()}
        kill(nodes["worker-4"])
        ClusterFolder("voltron").pin(nodes["worker-5"].id, nodes["worker-4"].host_key or "")
        await cloud.groups[1].driver.discard(cloud._inventory.specs()["worker"], [7])
        results = await cloud.execute(EACH_ITS_OWN, timeout=2)
    assert [(r.node.name, r.state) for r in results] == [
        ("master-0", State.OK),
        ("worker-0", State.OK),
        ("worker-1", State.FAILED),
        ("worker-2", State.SIGNALLED),
        ("worker-3", State.TIMEOUT),
        ("worker-4", State.UNREACHABLE),
        ("worker-5", State.UNTRUSTED),
        ("worker-6", State.LOST),
        ("worker-7", State.GONE),
    ]
    assert sum(results.counts.values()) == len(results) == 9
    found = {result.node.name: result for result in results}
    assert [r.exit_status for r in results] == [0, 0, 3, *(6 * [None])]
    assert (found["worker-1"].stderr, found["worker-1"].error) == (b"no\n", "exit status 3")
    assert found["worker-3"].stdout == found["worker-6"].stdout == b"before\n"
    assert {name for name, r in found.items() if r.error is None} == {"master-0", "worker-0"}
    assert found["worker-4"].error == "worker-4 is stopped"
    assert found["worker-3"].duration >= 2


async def test_a_node_that_died_unnoticed_is_unreachable() -> None:
    """A machine that its driver holds to be running, and that does not answer, is unreachable."""
    provider = Provider()
    cloud = Cloud([Group("web", 1, Memory(provider))], name="c")
    await cloud.launch(wait=False)
    (result,) = await cloud.execute("true")
    assert result.state is State.UNREACHABLE
    assert "can't reach web-0 at 127.0.0.1 port 1" in str(result.error)
    await cloud.destroy()


async def test_nodes_are_chosen_by_tag_and_index() -> None:
    """All, one group, one node, or some; results are ordered by group, then index."""
    async with launched(3) as cloud, cloud:

        async def names(tag: str | None = None, index: int | list[int] | None = None) -> list[str]:
            return [r.node.name for r in await cloud.execute("true", tag=tag, index=index)]

        assert await names() == ["master-0", "worker-0", "worker-1", "worker-2"]
        assert await names("worker") == ["worker-0", "worker-1", "worker-2"]
        assert await names("worker", 1) == ["worker-1"]
        assert await names("worker", [2, 0]) == ["worker-0", "worker-2"]
        assert await names(None, 0) == ["master-0", "worker-0"]
        assert await names("worker", []) == []
        for tag, index in (("nobody", None), ("worker", 3), ("master", [0, 1]), ("worker", -1)):
            with pytest.raises(InvalidInput):
                await cloud.execute("true", tag=tag, index=index)


async def test_output_is_bytes_to_the_last() -> None:
    """Both streams come as they are, whatever bytes they hold."""
    async with launched(0) as cloud:
        (result,) = await cloud.execute("printf '\\377\\0\\033x'; printf '\\376' >&2; exit 9")
        assert (result.stdout, result.stderr) == (b"\xff\0\x1bx", b"\xfe")
        assert (result.state, result.exit_status) == (State.FAILED, 9)


async def test_a_limit_bounds_the_nodes_at_work(tmp_path: Path) -> None:
    """With limit=1 no two nodes run the command at the same time."""
    command = f"mkdir {tmp_path}/taken && sleep 0.05 && rmdir {tmp_path}/taken"
    async with launched(3) as cloud, cloud:
        assert (await cloud.execute(command, limit=1)).ok
        assert not (await cloud.execute(command)).ok


async def test_a_cancelled_execute_ends_the_command_everywhere(tmp_path: Path) -> None:
    """Cancelled, it leaves no process on any node, and no task here."""
    command = f"echo $$ > {tmp_path}/$TINYCLOUD_NODE; exec sleep 1000"
    async with launched(1) as cloud:
        task = asyncio.ensure_future(cloud.execute(command))
        pids = await all_written(tmp_path, 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def all_written(folder: Path, count: int) -> list[int]:
    """Return the pids that commands write into this folder, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            texts = written(folder)
            if len(texts) == count and all(text.endswith("\n") for text in texts):
                return [int(text) for text in texts]
            await asyncio.sleep(0.01)


def written(folder: Path) -> list[str]:
    """Return what is in the files of the nodes."""
    return [path.read_text() for path in folder.glob("*-*")]


async def test_what_can_t_be_sent_is_refused_before_anything_else() -> None:
    """An impossible command is bad input, whether the cluster exists or not."""
    for command in ("a\0b", "x" * 200_000):
        with pytest.raises(InvalidInput):
            await local().execute(command)
    for timeout in (0, -1, float("nan")):
        with pytest.raises(InvalidInput, match="can't give a command"):
            await local().execute("true", timeout=timeout)
    assert files() == []


async def test_no_limit_is_none_not_zero() -> None:
    """At work on no node at a time nothing would ever be done: that is no wish for all at once."""
    async with launched(0) as cloud:
        for limit in (0, -1):
            with pytest.raises(InvalidInput, match=f"at work on {limit} nodes"):
                await cloud.execute("true", limit=limit)
            with pytest.raises(InvalidInput, match=f"at work on {limit} nodes"):
                [event async for event in cloud.stream("true", limit=limit)]


async def test_a_cluster_that_nobody_knows() -> None:
    """To execute, log in, start or stop where there is no cluster is an error, not nothing."""
    cloud = local()
    for work in (cloud.execute("true"), cloud.login(), cloud.start(), cloud.stop()):
        with pytest.raises(NoSuchCluster, match="no cluster 'voltron'"):
            await work
    with pytest.raises(NoSuchCluster):
        async for _ in cloud.stream("true"):
            pass
    assert await cloud.list() == ()
    assert await cloud.status() == {}
    assert files() == []


async def test_a_lost_record_loses_no_machine() -> None:
    """Without the record the nodes are still found, stopped, and destroyed."""
    async with launched(1) as cloud:
        before = await cloud.list()
        (ClusterFolder("voltron").path / "record.json").unlink()
        assert await cloud.list() == before
        assert (await cloud.execute("true")).ok
        assert {node.status for node in await cloud.stop()} == {Status.STOPPED}
        assert len(await cloud.destroy()) == 2


async def test_without_our_own_key_one_must_be_given(tmp_path: Path) -> None:
    """Where the cluster's key is lost, a key file that the nodes accept still opens them."""
    key = make_login_key(tmp_path, "mine")
    keyfile = tmp_path / "key"
    groups = [Group("web", 1, Local())]
    async with destroyed_after(Cloud(groups, name="c", authorize=[key.public])) as cloud:
        await cloud.launch()
        assert (await cloud.execute("true", keyfile=keyfile)).ok
        (ClusterFolder("c").path / "key").unlink()
        with pytest.raises(InvalidInput, match="login key of cluster 'c' is not on this machine"):
            await cloud.execute("true")
        assert (await cloud.execute("true", keyfile=str(keyfile))).ok


async def test_a_key_that_nodes_don_t_accept_opens_nothing(tmp_path: Path) -> None:
    """A wrong key makes nodes unreachable, and says that they refused it."""
    make_login_key(tmp_path, "stranger")
    async with launched(0) as cloud:
        (result,) = await cloud.execute("true", keyfile=tmp_path / "key")
        assert result.state is State.UNREACHABLE
        assert "refused our key" in str(result.error)


@pytest.mark.parametrize(
    ("content", "mode", "cause"),
    [
        (None, 0o600, "No such file"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----", 0o640, "mode is 0640"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----", 0o604, "mode is 0604"),
        (b"ssh-ed25519 AAAA me", 0o600, "public key"),
        (b"hello", 0o600, "no PEM block"),
        (b"PRIVATE KEY" + 70_000 * b"x", 0o600, "no PEM block"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----", 0o600, ""),
    ],
)
async def test_a_bad_key_file_is_refused_before_anything_else(
    tmp_path: Path, content: bytes | None, mode: int, cause: str
) -> None:
    """Missing, open to others, or no private key: each says so; nothing is asked of any driver."""
    file = tmp_path / "mykey.pem"
    if content is not None:
        write(file, content, mode)
    driver = Troubled(Memory(Provider()), before=fail("list", "web", AssertionError("asked")))
    cloud = Cloud([Group("web", 1, driver)], name="c")
    for work in (cloud.execute("true", keyfile=file), cloud.login(keyfile=file)):
        expected = InvalidInput if cause else ProviderError
        with pytest.raises(expected) as caught:
            await work
        assert cause in str(caught.value)


def write(file: Path, content: bytes, mode: int) -> None:
    """Write a file with this mode."""
    file.write_bytes(content)
    file.chmod(mode)
    assert stat.S_IMODE(os.stat(file).st_mode) == mode
