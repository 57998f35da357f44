"""A cluster of machines that exist already, from launch to destroy, on Debian's sshd."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from openssh import OpenSSH, free_port, openssh

from tinycloud import (
    Cloud,
    Group,
    InvalidInput,
    LaunchFailed,
    State,
    Status,
    Unreachable,
    Untrusted,
)
from tinycloud.drivers.hosts import Hosts
from tinycloud.drivers.local import Local
from tinycloud.store import ClusterFolder

from .conftest import Rack, spec


def cluster(
    rack: Rack, workers: int = 2, *, driver: Hosts | None = None, keyfile: Path | None = None
) -> Cloud:
    """Return a cluster of the rack's machines."""
    hosts = driver or Hosts(rack.sets, username=rack.user)
    groups = [Group("master", 1, hosts), Group("worker", workers, hosts)]
    return Cloud(groups, name="rack", keyfile=keyfile)


@pytest.fixture
def own(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """An sshd of this test's own, which may get another host key."""
    with openssh(program("sshd")) as server:
        yield server


async def test_the_whole_path(rack: Rack, state: Path, tmp_path: Path) -> None:
    """Launch proves every host, commands run, stopped nodes get none, and destroy only forgets."""
    rack.know()
    cloud = cluster(rack, 5)
    nodes = await cloud.launch()
    assert [node.name for node in nodes["master"]] == ["master-0"]
    assert [node.address for group in nodes.values() for node in group] == list(rack.addresses)
    results = await cloud.execute(
        f"cd {tmp_path}; echo $TINYCLOUD_NODE > $TINYCLOUD_NODE; cat $TINYCLOUD_NODE"
    )
    assert [result.text.strip() for result in results.check()] == [
        node.name for group in nodes.values() for node in group
    ]
    await cloud.stop()
    assert set((await cloud.status()).values()) == {Status.STOPPED}
    before = rack.logins
    assert (await cloud.execute("true")).counts == {State.UNREACHABLE: 6}
    assert rack.logins == before
    await cloud.start()
    assert (await cloud.execute(f"cat {tmp_path}/$TINYCLOUD_NODE")).ok
    before = rack.logins
    assert len((await cloud.destroy()).check()) == 6
    assert rack.logins == before
    assert (tmp_path / "worker-4").read_text() == "worker-4\n"
    assert not await asyncio.to_thread(state.exists)


async def test_a_cluster_that_exists_is_found_again(rack: Rack) -> None:
    """Another object of other size finds the same nodes, and a larger launch adds to them."""
    rack.know()
    small = await cluster(rack, 1).launch()
    large = await cluster(rack, 3).launch()
    ids = [node.id for group in large.values() for node in group]
    assert ids[:1] == [small["master"][0].id]
    assert ids[1:2] == [small["worker"][0].id]
    assert len(await cluster(rack, 1).list()) == 4
    await cluster(rack).destroy()


async def test_unknown_hosts(rack: Rack, state: Path) -> None:
    """Each says that its key is not known, nobody logs in, and nothing is kept."""
    before = rack.logins
    with pytest.raises(LaunchFailed) as caught:
        await cluster(rack).launch()
    assert sorted(caught.value.failures) == ["master-0", "worker-0", "worker-1"]
    for name, error in caught.value.failures.items():
        assert isinstance(error, Untrusted)
        assert error.what == f"the host key of {name} is not known"
    assert rack.logins == before
    assert not await asyncio.to_thread(state.exists)


async def test_unknown_hosts_are_accepted_by_explicit_wish(rack: Rack) -> None:
    """They are pinned on the first connection; those that were known are not."""
    rack.know(0)
    cloud = cluster(rack)
    nodes = await cloud.launch(accept_new=True)
    folder = ClusterFolder("rack")
    pins = [folder.pinned(node.id) for group in nodes.values() for node in group]
    assert pins == [None, *2 * [" ".join(rack.server.host_key.split()[:2])]]
    assert (await cloud.execute("true")).ok
    assert (await cluster(rack).launch()).keys() == nodes.keys()
    await cloud.destroy()


async def test_accepting_needs_a_connection(rack: Rack, state: Path) -> None:
    """A launch that does not wait can accept nothing, and says so before it does anything."""
    with pytest.raises(InvalidInput):
        await cluster(rack).launch(False, accept_new=True)
    assert not await asyncio.to_thread(state.exists)


def other(server: OpenSSH, rack: Rack) -> Cloud:
    """Return a cluster of one machine."""
    hosts = Hosts(f"127.0.0.1:{server.port}", username=rack.user)
    rack.key.write_bytes(server.login_key)
    return Cloud([Group("node", 1, hosts)], name="one")


def rekeyed(server: OpenSSH) -> None:
    """Have the machine rebuilt, or another one in its place."""
    server.stop()
    server.set_host_key(asyncssh.generate_private_key("ssh-ed25519"))
    server.start()


async def test_a_pinned_key_that_changes(own: OpenSSH, rack: Rack) -> None:
    """Another key than the accepted one is refused, also by a launch that accepts new ones."""
    cloud = other(own, rack)
    await cloud.launch(accept_new=True)
    old = own.host.get_fingerprint()
    rekeyed(own)
    (result,) = await cloud.execute("true")
    assert result.state is State.UNTRUSTED
    assert old in (result.error or "")
    with pytest.raises(LaunchFailed) as caught:
        await cloud.launch(accept_new=True)
    assert isinstance(caught.value.failures["node-0"], Untrusted)
    assert "Accepted" not in own.log.read_text()
    await cloud.destroy()


async def test_known_hosts_have_the_last_word(own: OpenSSH, rack: Rack) -> None:
    """What the user writes there counts more than what was accepted, both ways."""
    cloud = other(own, rack)
    await cloud.launch(accept_new=True)
    rekeyed(own)
    rack.known_hosts.write_text(f"[127.0.0.1]:{own.port} {own.host_key}\n")
    assert (await cloud.execute("true")).ok
    rekeyed(own)
    rack.known_hosts.write_text(f"[127.0.0.1]:{own.port} {own.host_key}\n")
    assert (await cloud.execute("true")).ok
    with rack.known_hosts.open("a") as file:
        file.write(f"@revoked * {own.host_key}\n")
    (result,) = await cloud.execute("true")
    assert result.state is State.UNTRUSTED
    assert "revoked" in (result.error or "")
    await cloud.destroy()


async def test_an_accepted_key_that_is_revoked(own: OpenSSH, rack: Rack) -> None:
    """A revoked key is refused though it was accepted once."""
    cloud = other(own, rack)
    await cloud.launch(accept_new=True)
    rack.known_hosts.write_text(f"@revoked * {own.host_key}\n")
    (result,) = await cloud.execute("true")
    assert result.state is State.UNTRUSTED
    await cloud.destroy()


async def test_a_host_that_does_not_answer(rack: Rack, state: Path) -> None:
    """It is given up at once, not waited for as if it booted; with a minimum the others stay."""
    rack.know()
    sets = [rack.place(0), f"127.0.0.1:{free_port()}", rack.place(1)]
    begun = time.monotonic()
    with pytest.raises(LaunchFailed) as caught:
        await cluster(rack, driver=Hosts(sets, username=rack.user)).launch()
    assert time.monotonic() - begun < 20
    assert list(caught.value.failures) == ["worker-0"]
    assert isinstance(caught.value.failures["worker-0"], Unreachable)
    assert not await asyncio.to_thread(state.exists)
    cloud = cluster(rack, driver=Hosts(sets, username=rack.user))
    nodes = await cloud.launch(minimum=1)
    assert [node.name for node in nodes["worker"]] == ["worker-1"]
    await cloud.destroy()


async def test_too_few_hosts(rack: Rack, state: Path) -> None:
    """Nothing is kept of a launch that asks for more nodes than there are hosts."""
    rack.know()
    with pytest.raises(InvalidInput) as caught:
        await cluster(rack, 6).launch()
    assert caught.value.cause == "it needs 6, and 5 of the 6 are free"
    assert not await asyncio.to_thread(state.exists)


async def test_a_cut_launch_is_made_whole(rack: Rack) -> None:
    """Hosts that were promised when a launch was killed are no nodes, and the next one has them."""
    rack.know()
    hosts = Hosts(rack.sets, username=rack.user)
    cloud = cluster(rack, driver=hosts)
    for group in cloud.groups:
        await hosts.prepare(spec(group.tag, group.count))
    assert await cloud.list() == ()
    nodes = await cloud.launch()
    assert [node.address for node in nodes["master"]] == [rack.addresses[0]]
    await cloud.destroy()


async def test_no_login_key_is_made(rack: Rack) -> None:
    """What does not make machines makes no key for them to accept."""
    rack.know()
    cloud = cluster(rack)
    await cloud.launch()
    assert ClusterFolder("rack").login_key() is None
    await cloud.destroy()


async def test_the_usual_key(rack: Rack) -> None:
    """The first of id_ed25519, id_ecdsa and id_rsa that is there is used, and no other is tried."""
    rack.know()
    rack.key.rename(rack.ssh / "id_rsa")
    cloud = cluster(rack)
    await cloud.launch()
    (rack.ssh / "id_ecdsa").touch(mode=0o600)
    wrong = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    (rack.ssh / "id_ecdsa").write_bytes(wrong.export_private_key())
    assert (await cloud.execute("true")).counts == {State.UNREACHABLE: 3}
    await cloud.destroy()


async def test_a_key_that_is_named(rack: Rack, tmp_path: Path) -> None:
    """It is recorded by its path: later nobody has to name it, and a command may name another."""
    rack.know()
    rack.key.rename(tmp_path / "mine")
    await cluster(rack, keyfile=tmp_path / "mine").launch()
    record = ClusterFolder("rack").record()
    assert record is not None
    assert record.keyfile == str(tmp_path / "mine")
    cloud = cluster(rack)
    assert (await cloud.execute("true")).ok
    (tmp_path / "mine").rename(tmp_path / "other")
    with pytest.raises(InvalidInput, match="mine"):
        await cloud.execute("true")
    assert (await cloud.execute("true", keyfile=tmp_path / "other")).ok
    await cloud.destroy()


async def test_no_key(rack: Rack, state: Path, program: Callable[[str], str]) -> None:
    """Without a key, or with one that needs a passphrase, nothing is begun; the remedy is said."""
    rack.know()
    rack.key.unlink()
    with pytest.raises(InvalidInput, match="no key to log in with") as caught:
        await cluster(rack).launch()
    assert "-i" in caught.value.fix
    rack.write_key(rack.key)
    locking = [program("ssh-keygen"), "-q", "-p", "-N", "secret", "-f", str(rack.key)]
    await (await asyncio.create_subprocess_exec(*locking)).wait()
    with pytest.raises(InvalidInput, match="id_ed25519") as caught:
        await cluster(rack).launch()
    assert "passphrase" in caught.value.cause
    assert not await asyncio.to_thread(state.exists)


async def test_beside_machines_that_are_made(rack: Rack) -> None:
    """In one cluster each machine gets the key that is meant for it."""
    rack.know()
    hosts = Hosts(rack.sets, username=rack.user)
    cloud = Cloud([Group("mine", 2, hosts), Group("made", 2, Local())], name="both")
    try:
        await cloud.launch()
        results = await cloud.execute("echo $TINYCLOUD_NODE")
        assert {result.text.strip() for result in results.check()} == {
            "mine-0",
            "mine-1",
            "made-0",
            "made-1",
        }
    finally:
        await cloud.destroy()


async def test_local_nodes_behind_a_bastion(rack: Rack) -> None:
    """Machines that are made can be behind a bastion, which takes the user's key, not theirs."""
    rack.know(0)
    group = Group("node", 4, Local(), via=f"{rack.user}@{rack.place(0)}")
    before = rack.logins
    async with Cloud([group], name="hidden") as cloud:
        try:
            await cloud.launch()
            assert Counter(r.state for r in await cloud.execute("true")) == {State.OK: 4}
            assert rack.logins - before == 1
        finally:
            await cloud.destroy()


async def test_a_bastion_is_pinned_by_explicit_wish(rack: Rack) -> None:
    """Its key is accepted as a node's is, held to from then on, and forgotten with the cluster."""
    rack.know(1, 2, 3)
    hosts = Hosts([rack.place(1), rack.place(2)], username=rack.user)
    group = Group("node", 2, hosts, via=f"{rack.user}@{rack.place(0)}")
    cloud = Cloud([group], name="hidden")
    with pytest.raises(LaunchFailed) as caught:
        await cloud.launch()
    assert all("that bastion" in str(error) for error in caught.value.failures.values())
    await cloud.launch(accept_new=True)
    assert (await cloud.execute("true")).ok
    folder = ClusterFolder("hidden")
    assert folder.pinned(f"bastion {rack.place(0)}") == " ".join(rack.server.host_key.split()[:2])
    rack.know(0, key=asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode())
    assert (await cloud.execute("true")).counts == {State.UNTRUSTED: 2}
    await cloud.destroy()
