"""The `aws` driver keeps the contract, on two servers that others wrote."""

import asyncio
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tinycloud import Driver, Node
from tinycloud.drivers.aws import AWS
from tinycloud.testing import DriverContract

from .client import client
from .docker import Docker
from .ministack import ministack
from .world import World, aws_settings, hurry

ALLOW = ("192.0.2.7/32",)


class TestMoto(DriverContract):
    """moto's server behind our proxy, which knows tokens, times and groups in use."""

    ec2: World

    @pytest.fixture(autouse=True)
    def _account(self, ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
        hurry(monkeypatch, ec2)
        self.ec2 = ec2

    def driver(self) -> Driver:
        return AWS(image="debian", allow=ALLOW)

    async def lose(self, node: Node) -> None:
        async with client() as aws:
            await aws.client.terminate_instances(InstanceIds=[node.id])

    async def leftovers(self, cluster: str) -> Collection[str]:
        return await asyncio.to_thread(self.ec2.left)


class OnMachines(TestMoto):
    """The same, with real machines behind the instances."""

    __test__ = False  # but for one test all of them are the same there
    ssh = True
    timeout = 120.0


@pytest.mark.timeout(300)
def test_machines_take_the_key_that_they_should(cloud_of_machines: World) -> None:
    """A machine keeps the one part of the contract that only machines can."""
    contract = OnMachines()
    contract.ec2 = cloud_of_machines
    contract.test_nodes_accept_the_authorized_key()


@pytest.fixture(scope="module")
def other_server(daemon: Docker, subnet: str) -> Iterator[str]:
    """The address of ministack."""
    with ministack(daemon) as address:
        yield address


class TestMinistack(DriverContract):
    """ministack, which hands out fewer machines than it was asked for, without a word."""

    @pytest.fixture(autouse=True)
    def _account(self, other_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        aws_settings(other_server, monkeypatch, tmp_path)
        hurry(monkeypatch)

    def driver(self) -> Driver:
        return AWS(image="ami-0abcdef1234567890", username="ec2-user", allow=ALLOW)

    async def lose(self, node: Node) -> None:
        async with client() as aws:
            await aws.client.terminate_instances(InstanceIds=[node.id])

    async def leftovers(self, cluster: str) -> Collection[str]:
        async with client() as aws:
            found = [id_ for id_, state in (await aws.states()).items() if state != "terminated"]
            groups = (await aws.client.describe_security_groups())["SecurityGroups"]
            return found + [g["GroupId"] for g in groups if g["GroupName"] != "default"]
