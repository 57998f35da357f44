"""A node from launch to its end by itself, on a real machine: keys, timers, new addresses."""

import shlex
from datetime import UTC, datetime, timedelta

import pytest

from tinycloud import Cloud, Group
from tinycloud.drivers.aws import AWS, lifetime
from tinycloud.store import ClusterFolder

from .client import client
from .test_containers import becomes
from .userdata import planted, user_data
from .world import World

pytestmark = pytest.mark.timeout(300)

UNIT = f"{lifetime.UNIT}.timer"
TIMER = f"systemctl show -P TimersCalendar {UNIT}; systemctl is-active {UNIT}"


async def said(cloud: Cloud, command: str) -> str:
    """Return what the node says."""
    (result,) = (await cloud.execute(command)).check()
    return result.text


async def timer(cloud: Cloud) -> str:
    """Return when the node ends, as its own timer has it, once it is sure that this runs."""
    calendar, state = (await said(cloud, TIMER)).splitlines()
    assert state == "active"
    return calendar.partition("OnCalendar=")[2].partition(" UTC")[0]


async def end(cloud: Cloud) -> str:
    """Return when the node ends, as its tag has it."""
    (node,) = await cloud.list()
    assert node.expires_at is not None
    return node.expires_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


async def test_a_node_from_its_launch_to_its_end(cloud_of_machines: World) -> None:
    """It has a key of its own, a timer that is set again and moved, and ends by that."""
    cloud = Cloud([Group("web", 1, AWS(image="debian"), ttl=3600)], name="v")
    await cloud.launch()
    (node,) = await cloud.list()
    pin = ClusterFolder("v").pinned(node.id)
    (boot,) = {planted(text) for text in user_data(cloud_of_machines.proxy)}
    assert pin is not None
    assert pin != boot
    shown = await said(cloud, "ssh-keyscan -t ed25519 localhost 2>/dev/null | cut -d ' ' -f 2-")
    assert shown.strip() == pin
    assert await said(cloud, "ls /etc/ssh/*_key") == "/etc/ssh/ssh_host_tinycloud_ed25519_key\n"
    assert await timer(cloud) == await end(cloud)
    first = await timer(cloud)

    assert (await cloud.extend(7200)).ok
    assert await timer(cloud) == await end(cloud) > first

    await cloud.stop()
    (again,) = await cloud.start()
    assert again.address != node.address
    assert ClusterFolder("v").pinned(again.id) == pin
    assert await timer(cloud) == await end(cloud)
    assert await end(cloud) > first

    soon = lifetime.arming(datetime.now(UTC) + timedelta(seconds=5))
    await said(cloud, f"sudo sh -c {shlex.quote(soon)}")
    async with client() as aws:
        await becomes(aws, node.id, "terminated")
    await cloud.destroy()
    assert cloud_of_machines.left() == []
