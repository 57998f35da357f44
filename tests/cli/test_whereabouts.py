"""Clusters that are not known here: who says where to look finds them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinycloud.store import ClusterFolder

from .running import Cli


@pytest.fixture
def forgotten(cli: Cli, tmp_path: Path) -> Iterator[Path]:
    """A cluster `lost` of one node, of which nothing but the key is kept; return that."""
    assert cli("launch", "lost", "-n", "0", "-q").code == 0
    key = tmp_path / "key"
    shutil.copy(ClusterFolder("lost").path / "key", key)
    shutil.rmtree(ClusterFolder("lost").path)
    yield key
    cli("destroy", "lost", "--driver", "local")


def test_list_and_status(cli: Cli, forgotten: Path) -> None:
    """They show what the driver finds by the names alone, and write nothing down."""
    (node,) = json.loads(cli("list", "lost", "--driver", "local", "--json").out)
    assert node["name"] == "master-0"
    status = cli("status", "lost", "master", "--driver", "local", "--json")
    assert json.loads(status.out) == {"master-0": "running"}
    assert not ClusterFolder("lost").exists()


def test_execute_takes_a_key(cli: Cli, forgotten: Path) -> None:
    """Without one the remedy is to pass one."""
    words = ("execute", "lost", "-e", "echo here", "--driver", "local")
    assert cli(*words, "-i", str(forgotten)).out == "master-0: here\n"
    assert cli(*words).refused() == "pass the file of a key that its nodes accept (-i)"


def test_destroy(cli: Cli, forgotten: Path, state: Path) -> None:
    """It leaves nothing, and done twice it is done once."""
    assert cli("destroy", "lost", "--driver", "local").lines == ["1 node of 'lost' is destroyed"]
    assert cli("destroy", "lost", "--driver", "local").code == 0
    assert not state.exists()


def test_another_cluster_of_that_name(cli: Cli) -> None:
    """A cluster that is known here is not taken for one that is meant elsewhere."""
    assert cli("launch", "lost", "-n", "0", "-q", "--no-wait").code == 0
    try:
        assert cli("list", "lost", "--driver", "local").code == 0
        for words in (("list", "lost"), ("status", "lost"), ("destroy", "lost")):
            assert "TINYCLOUD_STATE_DIR" in cli(*words, "--driver", "hosts").refused()
    finally:
        cli("destroy", "lost")


def test_where_without_what(cli: Cli) -> None:
    """A driver alone does not say which cluster; one that there is not is bad input."""
    assert cli("list", "--driver", "local").refused() == "tinycloud list NAME"
    assert "no driver named 'nowhere'" in cli("list", "x", "--driver", "nowhere").err
    assert cli("list", "x", "--driver", "local").code == 3
