"""The command line killed at any call of EC2: nothing is lost, doubled, or left behind."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .commands import LAUNCH, NAME, done, killed, tinycloud
from .world import World

LAUNCHING = (*LAUNCH, "-n", "2", "--no-wait")
NODES = ["master-0", "worker-0", "worker-1"]
SAMPLE = 3
"""Calls at which launch is killed in a normal run, and as many at which destroy is."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def _quick(ec2: World) -> None:
    ec2.states.seconds = dict.fromkeys(ec2.states.seconds, 0.05)


def check_gone(ec2: World, state: Path) -> None:
    """Destroy, after which nothing may be left, here or there."""
    ended = tinycloud("destroy", NAME)
    assert ended.returncode in (0, 3), ended.stderr  # 3: it was not there any more
    assert ec2.left() == []
    assert not state.exists()


def check_whole(ec2: World) -> None:
    """Launch again, after which there is what was asked for, and nothing else."""
    nodes = json.loads(done(*LAUNCHING, "--json"))
    assert [node["name"] for node in nodes] == NODES
    assert sorted(node["id"] for node in nodes) == sorted(ec2.instances())


def mend(ec2: World, state: Path, *, launching: bool) -> None:
    """Mend what a killed command left, by one way or the other."""
    if launching:
        check_whole(ec2)
    check_gone(ec2, state)


def destroy_killed(ec2: World, at: int, *, after: bool) -> bool:
    """Kill the destruction of a cluster that is whole."""
    done(*LAUNCHING)
    return killed(ec2, at, "destroy", NAME, after=after)


def launch_killed(ec2: World, at: int, *, after: bool) -> bool:
    """Kill the launch of a cluster."""
    return killed(ec2, at, *LAUNCHING, after=after)


Kill = Callable[..., bool]
KILLED = pytest.mark.parametrize("kill", [launch_killed, destroy_killed])


@KILLED
def test_killed_at_some_calls_all_can_be_mended(kill: Kill, ec2: World, state: Path) -> None:
    """Afterwards `launch` gives the cluster that was asked for, or `destroy` leaves nothing."""
    before = len(ec2.proxy.calls)
    assert not kill(ec2, 10_000, after=False)
    calls = len(ec2.proxy.calls) - before
    check_gone(ec2, state)
    for number in range(SAMPLE):
        at = 1 + number * calls // SAMPLE
        kill(ec2, at, after=number % 2 == 1)
        mend(ec2, state, launching=number % 2 == 0)


@KILLED
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("launching", [False, True])
def test_killed_at_any_call_all_can_be_mended(
    kill: Kill, after: bool, launching: bool, ec2: World, state: Path
) -> None:
    """It is so for every single call, done or not, and for both ways of mending."""
    for at in itertools.count(1):
        struck = kill(ec2, at, after=after)
        mend(ec2, state, launching=launching)
        if not struck:
            break
