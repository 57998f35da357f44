"""The command line in this process, and a real cluster that tests may look at."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tinycloud.cli import main, say
from tinycloud.drivers.local import Local
from tinycloud.group import GroupSpec
from tinycloud.store.folder import decoded

from . import odd as odd_drivers
from .running import Cli, Gate, Outcome, run


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate that scripts wait at."""
    with closing(Gate(tmp_path)) as gate:
        yield gate


@pytest.fixture(autouse=True)
def tidy(state: Path) -> Iterator[None]:
    """See that a test leaves no nodes behind, and end those of one that failed."""
    yield
    groups = sorted(state.glob("local/*/*"))
    for group in groups:
        spec = GroupSpec(cluster=decoded(group.parent.name), tag=decoded(group.name), count=0)
        asyncio.run(Local().destroy(spec))
    assert groups == []


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the command line in this process: as good as the program, and a hundred times faster."""

    def call(*words: str) -> Outcome:
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
        monkeypatch.setattr(say, "MANNER", say.Manner())
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ending:  # a shell that completes ends the program at once
            code = int(ending.code or 0)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def live_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a cluster that runs: voltron, a master and two workers."""
    folder = tmp_path_factory.mktemp("live") / "state"
    environment = {"TINYCLOUD_STATE_DIR": str(folder)}
    assert run("launch", "voltron", "-n", "2", **environment).code == 0
    yield folder
    destroyed = run("destroy", "voltron", **environment)
    assert (destroyed.code, folder.exists()) == (0, False), destroyed


@pytest.fixture
def voltron(live_state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the running cluster as the known one; return the state folder, which must stay whole."""
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(live_state))
    return live_state


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the drivers with odd manners as a package of others would, here and for programs."""
    folder = tmp_path / "site"
    metadata = folder / "odd-1.0.dist-info"
    metadata.mkdir(parents=True)
    kinds = [name for name, kind in vars(odd_drivers).items() if isinstance(kind, type)]
    points = "".join(f"{name.lower()} = cli.odd:{name}\n" for name in kinds)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[tinycloud.drivers]\n{points}")
    tests = Path(__file__).parents[1]
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(tests), path]))
    monkeypatch.syspath_prepend(str(folder))
