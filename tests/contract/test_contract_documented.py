"""The driver that the documentation shows keeps the contract, as it is written there."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from fences import ROOT, fences

from tinycloud import Driver, Node
from tinycloud.testing import DriverContract

PAGE = ROOT / "docs" / "drivers.md"
FILES = {fence.note: fence.text for fence in fences(PAGE) if fence.note.endswith(".py")}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="its nodes have loopback addresses of their own"
)


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str], str]
) -> Iterator[Path]:
    """A folder with the files of the page, and a home in it where the nodes will be."""
    program("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as Debian's service does
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield tmp_path
    left = servers(str(tmp_path))
    for process in left:
        process.kill()
    assert left == []


def servers(mark: str) -> list[psutil.Process]:
    """Return the SSH servers with this on their command line."""
    every = psutil.process_iter(["cmdline"])
    lines = {process: " ".join(process.info["cmdline"] or ()) for process in every}
    return [p for p, line in lines.items() if line.startswith("sshd: ") and mark in line]


def run(folder: Path, *words: str) -> str:
    """Run Python in the folder and return what it prints; it must end well."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestDocumented(DriverContract):
    """The contract, for the driver that the page shows."""

    ssh = True
    module: ModuleType

    @pytest.fixture(autouse=True)
    def _module(self, folder: Path) -> None:
        self.module = ModuleType("sshd_nodes")
        exec(compile(FILES["sshd_nodes.py"], PAGE, "exec"), self.module.__dict__)

    def driver(self) -> Driver:
        driver: Driver = self.module.driver()
        return driver

    async def lose(self, node: Node) -> None:
        for process in servers(f"ListenAddress={node.address} "):
            process.kill()

    async def leftovers(self, cluster: str) -> Collection[str]:
        return [str(path) for path in Path.home().glob(".sshd-nodes/*")]


def test_the_example_launches_a_cluster(folder: Path) -> None:
    """The program on the page runs a command on its nodes over SSH, and prints what it says."""
    shown = next(fence.text for fence in fences(PAGE) if fence.note == "output")
    assert run(folder, "launch.py") == shown
    assert list((folder / "home" / ".sshd-nodes").iterdir()) == []


def test_the_suite_runs_as_the_page_says(folder: Path) -> None:
    """The test file on the page has the whole suite, and runs with no configuration at all."""
    tests = [name for name in vars(DriverContract) if name.startswith("test_")]
    options = ("-q", "-p", "no:cacheprovider", "-k", "start_makes or lost")
    ended = run(folder, "-m", "pytest", *options, "test_sshd_nodes.py")
    assert f"1 passed, 1 skipped, {len(tests) - 2} deselected" in ended


def test_a_registered_driver_is_found_by_name(folder: Path) -> None:
    """With the entry point of the page installed, the command line takes the driver by name."""
    (toml,) = (tomllib.loads(f.text) for f in fences(PAGE) if f.language == "toml")
    points = toml["project"]["entry-points"]["tinycloud.drivers"]
    installed = folder / "sshd_nodes-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: sshd-nodes\nVersion: 1\n")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (installed / "entry_points.txt").write_text(f"[tinycloud.drivers]\n{lines}")
    tinycloud = ("-m", "tinycloud")
    run(folder, *tinycloud, "launch", "voltron", "--driver", "sshd", "-n", "1")
    said = run(folder, *tinycloud, "execute", "voltron", "worker", "-e", "echo $TINYCLOUD_NODE")
    assert said == "worker-0: worker-0\n"
    assert len(servers(str(folder))) == 2
    run(folder, *tinycloud, "destroy", "voltron")
    assert servers(str(folder)) == []
