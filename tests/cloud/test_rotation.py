"""A planted host key is good for the first login: then the node has one of its own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from planted import INCLUDE, Planted, Planting, planted

from tinycloud import Cloud, Group, LaunchFailed, TinycloudError, Untrusted
from tinycloud.cloud import hostkey, rotation
from tinycloud.cloud.root import as_root
from tinycloud.result import State
from tinycloud.ssh.connection import Connection
from tinycloud.store import ClusterFolder

Program = Callable[[str], str]


@pytest.fixture
def server(program: Program) -> Iterator[Planted]:
    """An sshd with a planted host key."""
    with planted(program) as one:
        yield one


def cluster(server: Planted) -> Cloud:
    """Return a cluster of that one node."""
    return Cloud([Group("node", 1, Planting(server))], name="c")


def forget(folder: str) -> None:
    """Lose the whole record of the cluster."""
    shutil.rmtree(ClusterFolder(folder).path)


async def pin(cloud: Cloud) -> str | None:
    """Return the pin of the node."""
    (node,) = await cloud.list()
    return ClusterFolder(cloud.name).pinned(node.id)


def fingerprint(line: str | None) -> str:
    """Return the fingerprint of a public key line."""
    assert line is not None
    return asyncssh.import_public_key(line).get_fingerprint()


async def test_the_node_has_a_key_of_its_own_after_launch(server: Planted) -> None:
    """It is what the node shows and what is pinned; nothing is left of the planted one."""
    cloud = cluster(server)
    await cloud.launch()
    own = fingerprint(await pin(cloud))
    assert own != server.host.get_fingerprint()
    assert server.fingerprints() == {own}
    assert not list(server.etc.glob("ssh_host_ed25519_key*"))
    assert (server.etc / Path(hostkey.KEY).name).stat().st_mode & 0o777 == 0o600
    (result,) = await cloud.execute("echo here")
    assert result.text == "here\n"
    assert len([p for p in server.processes() if "sshd" not in p.name()]) == 0


async def test_the_planted_key_opens_nothing_afterwards(server: Planted) -> None:
    """Whoever has read the planted key and poses as the node is refused, and told nothing."""
    cloud = cluster(server)
    await cloud.launch()
    (server.etc / "sshd_config.d" / "00-tinycloud.conf").unlink()
    server.set_host_key(server.host)
    server.stop()
    server.start()
    (result,) = await cloud.execute("true")
    assert result.state is State.UNTRUSTED
    with pytest.raises(LaunchFailed, match="did not prove its identity"):
        await cloud.launch()
    assert "Accepted" not in server.log.read_text()


async def test_a_second_launch_changes_nothing(server: Planted) -> None:
    """A node that has a key of its own keeps it."""
    cloud = cluster(server)
    await cloud.launch()
    first = await pin(cloud)
    await cloud.launch()
    assert await pin(cloud) == first
    assert server.fingerprints() == {fingerprint(first)}


async def test_without_a_pin_only_the_certificate_counts(server: Planted) -> None:
    """A lost pin is made good by the certificate, which names the machine by its id."""
    cloud = cluster(server)
    await cloud.launch()
    own = await pin(cloud)
    (node,) = await cloud.list()
    ClusterFolder("c").unpin(node.id)
    (result,) = await cloud.execute("true")
    assert result.ok
    assert await pin(cloud) == own


async def test_a_machine_that_knows_nothing_of_the_cluster(server: Planted, tmp_path: Path) -> None:
    """With the login key alone, and what the provider says, the node proves itself."""
    cloud = cluster(server)
    await cloud.launch()
    key = tmp_path / "key"
    shutil.copy(ClusterFolder("c").path / "key", key)
    forget("c")
    (result,) = await cloud.execute("echo here", keyfile=key)
    assert result.text == "here\n"
    assert not ClusterFolder("c").exists()


async def test_nothing_but_a_launch_takes_the_planted_key(server: Planted) -> None:
    """Until somebody has waited for the nodes they are not trusted; a start completes that."""
    cloud = cluster(server)
    await cloud.launch(wait=False)
    (result,) = await cloud.execute("true")
    assert result.state is State.UNTRUSTED
    with pytest.raises(Untrusted) as caught:
        await cloud.login()
    assert caught.value.fix.startswith("launch the cluster again")
    assert "Accepted" not in server.log.read_text()
    assert await pin(cloud) is None
    await cloud.start()
    (result,) = await cloud.execute("true")
    assert result.ok


async def test_a_user_that_comes_into_being(
    server: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that boots lets nobody in at first; who it never lets in is an error in the end."""
    cloud = cluster(server)
    server.locked = 1000
    await cloud.launch(wait=False)
    monkeypatch.setattr(rotation, "SETTLING", 0.5)
    with pytest.raises(LaunchFailed, match="it refused our key for user 'root'"):
        await cloud.start()
    assert "Accepted" not in server.log.read_text()
    monkeypatch.setattr(rotation, "SETTLING", 60.0)
    server.locked = 6
    (node,) = await cloud.start()
    assert node.name == "node-0"


class Death(Exception):
    """We are killed."""


@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_a_launch_that_dies_leaves_a_node_that_another_completes(
    server: Planted, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whichever step was the last, the next start finds its way in, and pins what it finds."""
    steps = 0

    async def mortal(connection: Connection, script: str, *, what: str, timeout: float) -> str:
        nonlocal steps
        steps += 1
        if steps == at:
            raise Death
        said = await as_root(connection, script, what=what, timeout=timeout)
        steps += 1
        if steps == at:
            raise Death
        return said

    cloud = cluster(server)
    await cloud.launch(wait=False)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "as_root", mortal)
        with pytest.raises(Death):
            await cloud.start()
    assert await pin(cloud) is None
    await cloud.start()
    own = fingerprint(await pin(cloud))
    assert server.fingerprints() == {own}
    assert own != server.host.get_fingerprint()
    assert (await cloud.execute("true")).ok


SETTINGS = [
    (INCLUDE, "HostKey /etc/ssh/ssh_host_ed25519_key"),
    ("HostKey /etc/ssh/ssh_host_ed25519_key", INCLUDE),
    ("# an old one, that knows no drop-ins",),
    ("HostKey /etc/ssh/ssh_host_ed25519_key",),
]


@pytest.mark.parametrize("settings", SETTINGS)
async def test_whatever_the_configuration_says(program: Program, settings: tuple[str, ...]) -> None:
    """The node's own key goes before the keys that its distribution has configured."""
    with planted(program, *settings) as server:
        cloud = cluster(server)
        await cloud.launch()
        own = fingerprint(await pin(cloud))
        assert server.fingerprints() == {own}
        server.stop()
        server.start()
        assert (await cloud.execute("true")).ok


async def test_a_configuration_that_is_broken_already(program: Program) -> None:
    """It is said what is wrong, and the planted key is not taken away."""
    with planted(program) as server:
        (server.etc / "sshd_config.d" / "50-odd.conf").write_text("NoSuchThing yes\n")
        cloud = cluster(server)
        await cloud.launch(wait=False)
        with pytest.raises(TinycloudError, match="can't put a host key in place on node-0"):
            await cloud.start()
        assert list(server.etc.glob("ssh_host_ed25519_key"))
