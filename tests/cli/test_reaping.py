"""Clusters that nobody here remembers: shown, and removed only when somebody says so."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from machines import Memory, Provider

from tinycloud import Cloud, Group, InvalidInput, ResourcesRemain, Stray
from tinycloud.cli import reaping
from tinycloud.store import ClusterFolder

from .running import Cli

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def stray(name: str, generation: str, created_at: datetime | None = HOUR_AGO) -> Stray:
    """Return a cluster as a provider knows it."""
    return Stray(
        cluster=name,
        generation=generation,
        where="eu-west-1",
        resources=(f"i-{name}", f"sg-{name}"),
        created_at=created_at,
    )


class Account(Memory):
    """A driver that finds these, and can't remove some."""

    def __init__(self, *strays: Stray, stuck: str = "") -> None:
        super().__init__(Provider())
        self.found, self.stuck = list(strays), stuck
        self.reaped: list[str] = []

    async def strays(self) -> tuple[Stray, ...]:
        return tuple(self.found)

    async def reap(self, stray: Stray) -> None:
        if stray.cluster == self.stuck:
            raise ResourcesRemain(
                f"still there: sg-{stray.cluster}", fix="later", remaining=stray.resources
            )
        self.reaped.append(stray.cluster)
        self.found.remove(stray)


def launched(name: str) -> str:
    """Have a record of a cluster; return its id."""
    cloud = Cloud([Group("web", 1, Memory(Provider()))], name=name)
    asyncio.run(cloud.launch(wait=False))
    record = ClusterFolder(name).record()
    assert record is not None
    return record.generation


def test_what_is_known_here_is_no_stray(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told by its id: another cluster of the same name is one."""
    account = Account(stray("v", launched("v")), stray("v", "other"), stray("w", "third"))
    assert reaping.reap([account], None, yes=True, as_json=False) == 0
    assert account.reaped == ["v", "w"]
    assert [one.cluster for one in account.found] == ["v"]
    assert "removed: 2 of 2" in capsys.readouterr().err


def test_nothing_is_removed_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal to ask on, all is shown and left; it is said what would remove it."""
    account = Account(stray("v", "one"))
    assert reaping.reap([account], None, yes=False, as_json=False) == 0
    said = capsys.readouterr()
    head, row = said.out.splitlines()
    assert head.split() == ["CLUSTER", "ID", "REGION", "LAUNCHED", "EXPIRES", "RESOURCES"]
    assert row.split()[:3] == ["v", "one", "eu-west-1"]
    assert row.endswith("i-v sg-v")
    assert said.err == "nothing is removed: --yes does that\n"
    assert account.reaped == []


def test_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A list with all that is known of each."""
    account = Account(stray("v", "one"))
    reaping.reap([account], None, yes=False, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {
        "cluster": "v",
        "generation": "one",
        "where": "eu-west-1",
        "resources": ["i-v", "sg-v"],
        "created_at": HOUR_AGO.isoformat(),
        "expires_at": None,
    }


def test_what_is_young_is_left() -> None:
    """So is that of which nobody knows how old it is: it may be just coming up."""
    account = Account(
        stray("old", "1"), stray("new", "2", datetime.now(UTC)), stray("odd", "3", None)
    )
    reaping.reap([account], "30m", yes=True, as_json=False)
    assert account.reaped == ["old"]
    reaping.reap([account], None, yes=True, as_json=False)
    assert account.reaped == ["old", "new", "odd"]
    with pytest.raises(InvalidInput):
        reaping.reap([account], "none", yes=True, as_json=False)


def test_what_remains(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are removed, the error names what is left, and the exit code is 8."""
    account = Account(stray("v", "1"), stray("w", "2"), stuck="v")
    assert reaping.reap([account], None, yes=True, as_json=False) == 8
    said = capsys.readouterr().err
    assert "error: still there: sg-v" in said
    assert "removed: 1 of 2" in said


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and no question asked."""
    assert reaping.reap([Account()], None, yes=False, as_json=False) == 0
    assert capsys.readouterr().err == "nothing is found that no record here knows\n"


def test_a_record_that_can_t_be_read() -> None:
    """Its cluster must not be taken for one that nobody knows."""
    folder = ClusterFolder("v")
    with folder.locked():
        (folder.path / "record.json").write_text("{")
        (folder.path / "record.json").chmod(0o600)
    account = Account(stray("v", "1"))
    with pytest.raises(InvalidInput, match="damaged"):
        reaping.reap([account], None, yes=True, as_json=False)
    assert account.reaped == []


def test_drivers_that_can_t(cli: Cli) -> None:
    """A driver that has no way to look says so; and one region is not all of them."""
    assert "(--driver)" in cli("reap", "--driver", "local").refused()
    assert cli("reap", "--region", "x", "--all-regions").refused() == (
        "give --region or --all-regions"
    )
