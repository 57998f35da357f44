"""The machines behind the instances are machines: booted by cloud-init, ended by themselves."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import asyncssh
import pytest

from .client import Client, client
from .world import World

pytestmark = pytest.mark.timeout(300)

USER_DATA = """\
#cloud-config
ssh_keys:
  ed25519_private: |
    {private}
  ed25519_public: {public}
ssh_authorized_keys:
  - {login}
"""


async def until(look: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 60.0) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not await look():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def becomes(aws: Client, one: str, state: str) -> None:
    """Wait until an instance is in this state."""

    async def look() -> bool:
        return (await aws.states(one))[one] == state

    await until(look)


async def running(aws: Client, one: str) -> str:
    """Wait until an instance runs, and return its address."""
    await becomes(aws, one, "running")
    address: str = (await aws.seen(one))[one]["PublicIpAddress"]
    return address


def user_data(host: asyncssh.SSHKey, login: asyncssh.SSHKey) -> str:
    """Return user data that plants a host key, and lets a login key in."""
    private = host.export_private_key().decode().replace("\n", "\n    ").strip()
    public, line = (key.export_public_key().decode().strip() for key in (host, login))
    return USER_DATA.format(private=private, public=public, login=line)


async def said(address: str, host: asyncssh.SSHKey, login: asyncssh.SSHKey, command: str) -> str:
    """Run a command as soon as the machine answers, and return what it says."""
    known = asyncssh.import_known_hosts(f"{address} {host.export_public_key().decode()}")
    deadline = time.monotonic() + 60
    while True:
        try:
            async with asyncssh.connect(
                address,
                username="admin",
                client_keys=[login],
                known_hosts=known,
                config=None,
                agent_path=None,
            ) as connection:
                return str((await connection.run(command, check=True)).stdout)
        except (OSError, asyncssh.PermissionDenied):  # not up yet; its keys are not in yet
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


async def test_an_instance_is_a_machine(cloud_of_machines: World) -> None:
    """It has the host key that was planted, lets in whom it should, and stops and starts."""
    host, login = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        (one,) = await aws.run(subnet, UserData=user_data(host, login))
        address = await running(aws, one)
        command = "cat /var/lib/cloud/data/instance-id; echo kept > kept; id -un"
        assert await said(address, host, login, command) == f"{one}\nadmin\n"
        await aws.client.stop_instances(InstanceIds=[one])
        await becomes(aws, one, "stopped")
        await aws.client.start_instances(InstanceIds=[one])
        new = await running(aws, one)
        assert new != address
        assert await said(new, host, login, "cat kept") == "kept\n"


@pytest.mark.parametrize(("behaviour", "state"), [("terminate", "terminated"), ("stop", "stopped")])
async def test_a_machine_may_end_itself(
    cloud_of_machines: World, behaviour: str, state: str
) -> None:
    """One that powers itself off is stopped or terminated, as it was launched to be."""
    host, login = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        (one,) = await aws.run(
            subnet,
            UserData=user_data(host, login),
            InstanceInitiatedShutdownBehavior=behaviour,
        )
        await said(await running(aws, one), host, login, "sudo systemctl poweroff --no-block")
        await becomes(aws, one, state)
