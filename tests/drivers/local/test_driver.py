"""The driver contract, kept by nodes on this machine."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tinycloud.drivers.local import Local
from tinycloud.errors import InvalidInput, ResourcesRemain
from tinycloud.group import GroupSpec
from tinycloud.node import Node, Status

from .conftest import Connect, Spec
from .waiting import eventually, gone


def _record(state: Path, index: int = 0) -> dict[str, object]:
    content: dict[str, object] = json.loads(_path(state, index).read_bytes())
    return content


def _path(state: Path, index: int = 0) -> Path:
    return state / "local" / "voltron" / "worker" / str(index) / "node.json"


def _pid(state: Path, index: int = 0) -> int:
    return int(str(_record(state, index)["pid"]))


async def test_start(local: Local, spec: Spec, state: Path) -> None:
    """Nodes are listed by index, each running, with an id, a port and a host key of its own."""
    before = datetime.now(UTC)
    nodes = await local.start(spec(count=3))
    assert [node.name for node in nodes] == ["worker-0", "worker-1", "worker-2"]
    assert {node.status for node in nodes} == {Status.RUNNING}
    assert all(node.address == node.private_address == "127.0.0.1" for node in nodes)
    assert len({node.id for node in nodes}) == 3
    assert len({node.port for node in nodes}) == 3
    assert len({node.host_key for node in nodes}) == 3
    assert all(node.launched_at and node.launched_at >= before for node in nodes)
    assert nodes == await local.list(spec(count=0))


async def test_private(local: Local, spec: Spec, state: Path) -> None:
    """All that is kept of a node is for its user's eyes only."""
    await local.start(spec())
    node = _path(state).parent
    for folder in (node, *node.parents[:4], node / "home"):
        assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("node.json", "host_key", "authorized_keys"):
        assert (node / name).stat().st_mode & 0o777 == 0o600


async def test_start_twice(local: Local, spec: Spec, state: Path) -> None:
    """Running nodes are left alone, missing ones filled in, surplus kept."""
    two = await local.start(spec(count=2))
    pids = _pid(state, 0), _pid(state, 1)
    three = await local.start(spec(count=3))
    assert three[:2] == two
    assert await local.start(spec(count=1)) == three
    assert (_pid(state, 0), _pid(state, 1)) == pids


async def test_discard(local: Local, spec: Spec) -> None:
    """Only the nodes that are named go, and what fills the gap is a new node."""
    zero, one, two = await local.start(spec(count=3))
    await local.discard(spec(), [1, 7])
    assert await local.list(spec()) == (zero, two)
    again = await local.start(spec(count=3))
    assert (again[0], again[2]) == (zero, two)
    assert again[1].id != one.id
    await local.discard(spec(), [0, 1, 2])
    assert await local.list(spec()) == ()


async def test_stop_and_start(local: Local, spec: Spec, connect: Connect) -> None:
    """A stopped node comes back as the same machine: index, id, host key, port and disk."""
    (node,) = await local.start(spec())
    connect(node).output("echo kept >file")
    await local.stop(spec())
    assert await local.status(spec()) == (Status.STOPPED,)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", node.port))
    assert await local.start(spec()) == (node,)
    assert connect(node).output("cat file") == "kept"


async def test_port_is_taken(local: Local, spec: Spec, connect: Connect) -> None:
    """A node whose port somebody else took meanwhile comes back on another."""
    (node,) = await local.start(spec())
    await local.stop(spec())
    with socket.create_server(("127.0.0.1", node.port)):
        (again,) = await local.start(spec())
    assert again.port != node.port
    assert (again.id, again.host_key) == (node.id, node.host_key)
    connect(again).output("true")


async def test_killed_node(local: Local, spec: Spec, state: Path, connect: Connect) -> None:
    """A node that was killed shows as stopped, and `start` brings it back."""
    first, other = await local.start(spec(count=2))
    os.kill(_pid(state), signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(_pid(state)))
    assert await local.status(spec()) == (Status.STOPPED, Status.RUNNING)
    assert await local.start(spec()) == (first, other)
    connect(first).output("true")


def _stranger() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "1000"])


async def test_stranger_with_our_pid(local: Local, spec: Spec, state: Path) -> None:
    """A pid that has passed to a stranger is never signalled, whatever is asked."""
    with _stranger() as stranger:
        await local.start(spec())  # by a forker that takes its time: born in another tick
        await local.stop(spec())
        record = _record(state)
        record |= {"pid": stranger.pid, "born": "another boot/1"}
        _path(state).write_text(json.dumps(record))
        assert await local.status(spec()) == (Status.STOPPED,)
        await local.stop(spec())
        await local.start(spec())
        record = _record(state) | {"pid": stranger.pid}
        await local.stop(spec())
        _path(state).write_text(json.dumps(record))
        await local.destroy(spec())
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff", b'{"format": 99}'])
async def test_damaged_record(local: Local, spec: Spec, state: Path, damage: bytes) -> None:
    """A node with a damaged record is ended by `destroy`, though its pid is lost."""
    await local.start(spec())
    pid = _pid(state)
    _path(state).write_bytes(damage)
    assert await local.list(spec()) == ()
    await local.destroy(spec())
    assert not psutil.pid_exists(pid)


async def test_repair(local: Local, spec: Spec, state: Path, connect: Connect) -> None:
    """`start` mends a node with a damaged record: one process, the same host key and home."""
    (node,) = await local.start(spec())
    connect(node).output("echo kept >file")
    pid = _pid(state)
    _path(state).write_bytes(b"")
    (again,) = await local.start(spec())
    assert not psutil.pid_exists(pid)
    assert again.host_key == node.host_key
    assert connect(again).output("cat file") == "kept"


async def test_half_made_node(local: Local, spec: Spec, state: Path, connect: Connect) -> None:
    """A folder that a dying launch left behind is no node, until `start` completes it."""
    _path(state).parent.mkdir(parents=True, mode=0o700)
    (_path(state).parent / "host_key").write_bytes(b"half a k")
    for folder in _path(state).parents[1:4]:
        folder.chmod(0o700)
    assert await local.list(spec()) == ()
    (node,) = await local.start(spec())
    connect(node).output("true")


async def test_destroy_half_made_node(local: Local, spec: Spec, state: Path) -> None:
    """`destroy` removes what a dying launch left behind."""
    folder = state / "local" / "voltron" / "worker"
    (folder / "3" / "home.new").mkdir(parents=True)
    (folder / ".lock.tmp").touch()
    await local.destroy(spec())
    assert gone(state)


async def test_nothing_is_there(local: Local, spec: Spec, state: Path) -> None:
    """Of a group that does not exist there is nothing to list, stop or destroy."""
    assert await local.list(spec()) == ()
    await local.stop(spec())
    await local.destroy(spec())
    await local.discard(spec(), [0])
    assert await local.start(spec(count=0)) == ()
    assert gone(state)


async def test_destroy(local: Local, spec: Spec, state: Path) -> None:
    """`destroy` takes one group, and not the group or cluster beside it."""
    await local.start(spec(count=2))
    beside = [
        (await local.start(other), other)
        for other in (spec(tag="Worker"), spec(cluster="Voltron"), spec(tag="worker.2"))
    ]
    await local.destroy(spec())
    await local.destroy(spec())
    assert await local.list(spec()) == ()
    for nodes, other in beside:
        assert await local.list(other) == nodes
    assert not (state / "local" / "voltron" / "worker").exists()


async def test_destroy_names_what_remains(
    local: Local, spec: Spec, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be removed is named, and the rest is removed nevertheless."""
    await local.start(spec(count=2))
    remove = "tinycloud.drivers.local.folders.NodeFolder.remove"

    def refuse(folder: object) -> None:
        raise PermissionError(1, "Operation not permitted", "/some/file")

    with monkeypatch.context() as patch:
        patch.setattr(remove, refuse)
        with pytest.raises(ResourcesRemain) as caught:
            await local.destroy(spec())
    assert caught.value.remaining == ("/some/file: Operation not permitted",) * 2
    assert all(status is Status.STOPPED for status in await local.status(spec()))


async def test_read_only_home(local: Local, spec: Spec, connect: Connect, state: Path) -> None:
    """A home that its user made read-only is removed like any other."""
    (node,) = await local.start(spec())
    connect(node).output("mkdir -p a/b/c; ln -s / a/root; chmod 0 a/b; chmod -R a-w a; chmod a-w ~")
    await local.destroy(spec())
    assert gone(state)


async def test_without_a_block(clean: None, spec: Spec) -> None:
    """Every verb works outside of the driver's block as well, on a driver of its own."""
    await Local().prepare(spec())
    (node,) = await Local().start(spec())
    await Local().stop(spec())
    assert await Local().status(spec()) == (Status.STOPPED,)
    assert await Local().start(spec()) == (node,)
    await Local().destroy(spec())


async def test_many_groups_at_once(local: Local, spec: Spec) -> None:
    """One driver serves many groups of many clusters at the same time."""
    specs = [spec(cluster=c, tag=t, count=2) for c in ("a", "b", "c") for t in ("x", "y")]
    await asyncio.gather(*(local.prepare(one) for one in specs))
    made = await asyncio.gather(*(local.start(one) for one in specs))
    assert len({node.id for nodes in made for node in nodes}) == 12
    await asyncio.gather(*(local.stop(one) for one in specs))
    await asyncio.gather(*(local.destroy(one) for one in specs))


async def test_same_group_at_once(clean: None, spec: Spec) -> None:
    """Two programs that start one group at the same time make it once."""
    first, second = await asyncio.gather(Local().start(spec(count=3)), Local().start(spec(count=3)))
    assert {node.index for node in first} <= {0, 1, 2}
    assert [node.index for node in second] == [0, 1, 2] or len(first) == 3
    assert len(await Local().list(spec())) == 3


async def test_authorized_keys(local: Local, spec: Spec, state: Path, connect: Connect) -> None:
    """A new node takes all keys that it is given; the file is read again at each login."""
    (node,) = await local.start(spec())
    keys = _path(state).parent / "authorized_keys"
    mine = keys.read_text()
    keys.write_text("nonsense\n# a comment\n")
    assert connect(node).run("true").returncode == 255
    keys.write_text(f"nonsense\n{mine}")
    assert connect(node).run("true").returncode == 0


async def test_untrusted_state(local: Local, spec: Spec, state: Path) -> None:
    """A state folder that others may write to is refused by every verb."""
    state.mkdir()  # noqa: ASYNC240 - nothing else runs
    state.chmod(0o777)  # noqa: ASYNC240 - nothing else runs
    for verb in (local.start, local.list, local.status):
        with pytest.raises(InvalidInput, match="others may write"):
            await verb(spec())
    state.rmdir()  # noqa: ASYNC240 - nothing else runs


async def test_error_of_the_forker(local: Local, spec: Spec, state: Path) -> None:
    """What the forker can't do comes back as the error that it is, with cause and remedy."""
    await local.start(spec(count=2))
    await local.stop(spec())
    key = _path(state, 1).with_name("host_key")
    key.unlink()
    key.symlink_to("/dev/null")
    with pytest.raises(InvalidInput, match="symlink") as caught:
        await local.start(spec())
    assert caught.value.fix
    assert len(await local.list(spec())) == 2


async def test_half_removed_node(local: Local, spec: Spec, state: Path, connect: Connect) -> None:
    """What is left of a node whose removal was cut short is no node, and is not built upon."""
    (node,) = await local.start(spec())
    connect(node).output("echo old >file")
    await local.stop(spec())
    _path(state).unlink()
    assert await local.list(spec()) == ()
    (another,) = await local.start(spec())
    assert another.host_key != node.host_key
    assert connect(another).run("cat file").returncode == 1


def test_import_is_light() -> None:
    """The client's side of the driver does not load asyncssh."""
    code = "import sys, tinycloud.drivers.local; sys.exit('asyncssh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_options() -> None:
    """The driver is found again by its name, and needs no options."""
    assert Local.name == "local"
    assert Local().options == {}
    assert repr(Local()) == "Local()"


async def test_list_is_by_cluster_and_tag(local: Local, spec: Spec) -> None:
    """`list` asks for nothing but the names."""
    nodes: tuple[Node, ...] = await local.start(spec(count=2))
    assert await local.list(GroupSpec(cluster="voltron", tag="worker", count=99)) == nodes
