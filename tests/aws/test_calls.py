"""How many calls it takes: few, and no more for many nodes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from tinycloud import Cloud, Group, LaunchFailed, Status
from tinycloud.drivers.aws import AWS

from .proxy import Call
from .test_launching import SPEC
from .troubles.invisible import LateAddresses
from .world import World

ALLOW = ("192.0.2.7/32",)
BURST = 1
"""Looks that may follow each other at once, before there is one in a second."""

pytestmark = pytest.mark.timeout(200)


def cloud(workers: int) -> Cloud:
    """Return a cluster of a master and so many workers."""
    driver = AWS(image="debian", allow=ALLOW)
    return Cloud([Group("master", 1, driver), Group("worker", workers, driver)], name="voltron")


def looks(calls: Sequence[Call], *, at_one: bool = False) -> list[float]:
    """Return when each page set of DescribeInstances began: for the cluster, or for one node."""
    return [
        call.began
        for call in calls
        if call.action == "DescribeInstances"
        and not call.request.get("NextToken")
        and (call.request.get("Filter.1.Name") == "instance-id") is at_one
    ]


def most_in(seconds: float, moments: Sequence[float]) -> int:
    """Return how many of these moments are within so many seconds, where there are most."""
    return max(sum(0 <= other - one < seconds for other in moments) for one in moments)


@pytest.mark.parametrize("nodes", [100, pytest.param(500, marks=pytest.mark.exhaustive)])
async def test_many_nodes_take_few_calls(ec2: World, nodes: int) -> None:
    """Few launches, no call for a single node, and one look in a second for all of them.

    But for the one node of each group that is looked at closely, to say why it failed.
    """
    ec2.shortages.append(LateAddresses(seconds=1000))
    with pytest.raises(LaunchFailed):
        await cloud(nodes - 1).launch(timeout=10)
    assert ec2.left() == []
    names = ec2.proxy.names()
    assert names.count("RunInstances") <= 4
    others = [name for name in names if name != "DescribeInstances"]
    assert len(others) < 30
    assert len(looks(ec2.proxy.calls, at_one=True)) <= 2
    moments = looks(ec2.proxy.calls)
    assert len(moments) > 3
    for seconds in (1, 5, 10):
        assert most_in(seconds, moments) <= seconds + BURST


async def test_calls_do_not_grow_with_the_nodes(ec2: World) -> None:
    """A hundred nodes take the calls that three take, and looks are a second apart."""
    spec = replace(SPEC, count=100)
    async with AWS() as driver:
        await driver.prepare(spec)
        await driver.start(spec)
        end = time.monotonic() + 20
        while {node.status for node in await driver.list(spec)} != {Status.RUNNING}:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
        await driver.destroy(spec)
    assert ec2.proxy.count("RunInstances") == 1
    assert ec2.proxy.count("TerminateInstances") == 1
    moments = looks(ec2.proxy.calls)
    assert all(later - earlier > 0.9 for earlier, later in pairwise(moments))
    assert ec2.left() == []


@pytest.mark.parametrize(
    "foreign", [500, pytest.param(10_000, marks=(pytest.mark.exhaustive, pytest.mark.timeout(900)))]
)
async def test_foreign_instances_cost_nothing(ec2: World, foreign: int) -> None:
    """However many there are in the account, `list` is quick but for what EC2 itself takes."""
    one = cloud(2)
    await one.launch(wait=False)
    subnets = [s.findtext("subnetId") for s in ec2.ask("DescribeSubnets").tree.iter("item")]
    for number in range(foreign // 500):
        subnet = [found for found in subnets if found][number % 6]
        many = {"MinCount": "500", "MaxCount": "500", "InstanceType": "t3.medium"}
        ec2.ask("RunInstances", ImageId="ami-00dddd86000000001", SubnetId=subnet or "", **many)
    before, began = len(ec2.proxy.calls), time.monotonic()
    assert len(await one.list()) == 3
    spent = time.monotonic() - began
    calls = ec2.proxy.calls[before:]
    assert spent - sum(call.inside for call in calls) < 3
    assert len(calls) <= 3
    await one.destroy()
    assert len(ec2.instances()) == foreign
