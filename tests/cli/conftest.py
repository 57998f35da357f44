"""The command line in this process, and a real cluster that tests may look at."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinycloud.cli import main, say

from .running import PROGRAM, Cli, Outcome, Terminal, run, snapshot


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the command line in this process: as good as the program, and a hundred times faster."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    def call(*words: str) -> Outcome:
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
