"""How long nodes live, on the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tinycloud import Cloud, Group, InvalidInput
from tinycloud.cli import lifetime
from tinycloud.cli.order import Order, ordered
from tinycloud.drivers.local import Local

from .running import Cli


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90m", 5400), ("8h", 28800), ("1.5h", 5400), ("2d", 172800), ("none", None)],
)
def test_times(text: str, seconds: float | None) -> None:
    """A number and a unit; `none` is for ever."""
    assert lifetime.seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "8", "8 h", "-1h", "0h", "8H", "h", "1w", "1e3h", "1h30m", "nan", "9" * 20 + "d"]
)
def test_what_is_no_time(text: str) -> None:
    """All else is refused, and the remedy shows how to say it."""
    with pytest.raises(InvalidInput, match="not a time to live") as caught:
        lifetime.seconds(text)
    assert "90m" in caught.value.fix


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(28800, "8 h"), (129600, "1 d 12 h"), (5400, "1 h 30 m"), (90, "1 m 30 s")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    """The two largest units are enough."""
    assert lifetime.words(seconds) == words


def test_machines_that_cost_money_end_by_default() -> None:
    """Eight hours with aws, no end with local, unless somebody says otherwise."""
    assert lifetime.chosen(None, "aws") == 8 * 3600
    assert lifetime.chosen(None, "local") is None
    assert lifetime.chosen("none", "aws") is None


def test_a_launch_says_when_its_nodes_end(cli: Cli, state: Path) -> None:
    """So do the lists of clusters and of nodes, in text and in JSON; extend moves it."""
    launched = cli("launch", "v", "-n", "0", "--ttl", "8h")
    try:
        assert any(line.startswith("time to live: 8 h, until ") for line in launched.lines)
        head, row = cli("list").out.splitlines()
        assert head.split()[-1] == "TTL"
        assert row.endswith("8 h")
        assert cli("list", "v").out.splitlines()[0].split()[-1] == "EXPIRES"
        (node,) = json.loads(cli("list", "v", "--json").out)
        ends = datetime.fromisoformat(node["expires_at"])
        assert abs((ends - datetime.now(UTC)).total_seconds() - 28800) < 60
        assert cli("extend", "v", "1h").refused() == "give more time, counted from now"
        moved = cli("extend", "v", "9h")
        assert (moved.code, moved.out) == (0, "")
        assert moved.lines[0].startswith("1 node of 'v' lives until ")
        assert cli("extend", "v", "none").lines == ["1 node of 'v' lives without an end"]
        assert "expires_at" not in json.loads(cli("list", "v", "--json").out)[0]
    finally:
        cli("destroy", "v")
    assert not state.exists()


def test_a_launch_keeps_the_time_of_the_last(cli: Cli) -> None:
    """Without --ttl a cluster that exists has the time that it was launched with."""
    try:
        assert cli("launch", "v", "-n", "0", "--ttl", "2h", "--no-wait").code == 0
        assert ordered(Order(name="v")).groups[0].ttl == 7200
        assert ordered(Order(name="v", ttl="none")).groups[0].ttl is None
    finally:
        cli("destroy", "v")


def test_hosts_that_exist_have_no_end(cli: Cli) -> None:
    """Nobody may think that they go away."""
    fix = cli("launch", "rack", "--host", "10.0.0.1", "--ttl", "8h", "-q").refused()
    assert fix == "leave out --ttl"


def test_nothing_to_extend(cli: Cli) -> None:
    """A cluster that is not known, or has no end, is told apart."""
    assert cli("extend", "nobody", "8h").code == 3
    assert cli("extend", "nobody", "8").refused().startswith("give a number and a unit")


async def test_a_local_node_lives_longer(state: Path) -> None:
    """It looks at its deadline itself: one that is moved does not end when it was to end."""
    cloud = Cloud([Group("node", 1, Local(), ttl=3600)], name="c")
    try:
        await cloud.launch()
        (node,) = await cloud.list()
        assert (await cloud.extend(7200)).ok
        (moved,) = await cloud.list()
        assert node.expires_at is not None
        assert moved.expires_at is not None
        assert (moved.expires_at - node.expires_at).total_seconds() == pytest.approx(3600, abs=60)
    finally:
        await cloud.destroy()
