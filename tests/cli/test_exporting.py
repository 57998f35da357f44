"""Other programs on our nodes: ssh, scp, sftp, rsync and Ansible, as strict as we are."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from clusters import kill

from tinycloud import Cloud, Group, Node
from tinycloud.drivers.local import Local
from tinycloud.store import ClusterFolder

from .running import Cli, Outcome, run

CLUSTER = "Volt.ron"
"""A name with a capital letter and a dot, in a folder with a name that must be quoted."""


@dataclass
class Others:
    """A cluster, and what other programs were told of it, in a folder of files to work with."""

    state: Path
    folder: Path
    config: Path = field(init=False)
    inventory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.config, self.inventory = self.folder / "config", self.folder / "inventory.yml"

    def tinycloud(self, *words: str) -> Outcome:
        """Run tinycloud with this cluster's state."""
        return run(*words, TINYCLOUD_STATE_DIR=str(self.state))

    def tell(self) -> None:
        """Print both exports into their files."""
        for command, file in (("ssh-config", self.config), ("inventory", self.inventory)):
            told = self.tinycloud(command, CLUSTER)
            assert (told.code, told.err) == (0, ""), told
            file.write_text(told.out)

    def run(self, *words: str | Path, text: str = "", **environment: str) -> Outcome:
        """Run another program, with nothing of the user's at hand."""
        home = {"HOME": str(self.folder), "SSH_AUTH_SOCK": "", **environment}
        done = subprocess.run(
            words,
            cwd=self.folder,
            capture_output=True,
            text=True,
            input=text,
            env={**os.environ, **home},
            timeout=100,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ssh(self, host: str, *words: str) -> Outcome:
        """Run a command with ssh."""
        return self.run("ssh", "-F", self.config, host, *words)

    def home(self, tag: str, index: int) -> Path:
        """Return the home folder of a node, which is on this machine."""
        return self.state / "local" / "+volt.ron" / tag / str(index) / "home"

    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes."""
        groups = [Group("master", 1, Local()), Group("worker", 2, Local())]
        return asyncio.run(Cloud(groups, name=CLUSTER).list())

    @property
    def known_hosts(self) -> Path:
        """The file by which other programs tell the hosts."""
        return self.state / "clusters" / "+volt.ron" / "known_hosts"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    """A cluster with a master and two workers, of which other programs have been told."""
    folder = tmp_path_factory.mktemp("others")
    others = Others(folder / "it's 100% \u00fc", folder / "work")
    others.folder.mkdir()
    launched = others.tinycloud("launch", CLUSTER, "-n", "2")
    assert launched.code == 0, launched
    others.tell()
    yield others
    destroyed = others.tinycloud("destroy", CLUSTER)
    assert (destroyed.code, others.state.exists()) == (0, False), destroyed


@pytest.fixture
def others(live: Others, monkeypatch: pytest.MonkeyPatch, program: Callable[[str], str]) -> Others:
    """Have that cluster as the known one."""
    program("ssh")
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(live.state))
    return live


def test_ssh_logs_in_by_name(others: Others) -> None:
    """Plain ssh gets to each node by its name, and says nothing but what the command says."""
    for name in ("master-0", "worker-0", "worker-1"):
        done = others.ssh(f"{CLUSTER}-{name}", "echo $TINYCLOUD_NODE; exit 3")
        assert done == Outcome(3, f"{name}\n", "")


def test_scp_in_both_of_its_ways(others: Others) -> None:
    """Files go there and come back, by SFTP and by scp's own protocol."""
    (others.folder / "file").write_text("hello\n")
    for index, way in enumerate(("-s", "-O")):
        remote = f"{CLUSTER}-worker-{index}:copy"
        there = others.run("scp", "-q", way, "-F", others.config, "file", remote)
        back = others.run("scp", "-q", way, "-F", others.config, remote, f"back{index}")
        assert (there, back) == (Outcome(0, "", ""), Outcome(0, "", ""))
        assert (others.home("worker", index) / "copy").read_text() == "hello\n"
        assert (others.folder / f"back{index}").read_text() == "hello\n"


def test_sftp(others: Others) -> None:
    """Its commands work, and end with its exit status."""
    batch = "mkdir made\ncd made\npwd\n"
    done = others.run(
        "sftp", "-q", "-F", others.config, "-b", "-", f"{CLUSTER}-master-0", text=batch
    )
    assert (done.code, done.err) == (0, "")
    assert (others.home("master", 0) / "made").is_dir()


def test_rsync(others: Others, program: Callable[[str], str]) -> None:
    """A folder is the same there as here, also after it changed; the config's path needs care."""
    program("rsync")
    source = others.folder / "source" / "deep"
    source.mkdir(parents=True)
    ssh = ("rsync", "-a", "--delete", "-e", "ssh -F config")
    for text in ("one", "three"):
        (source / f"{text}.txt").write_text(text)
        (source / "one.txt").write_text(text)
        done = others.run(*ssh, "source/", f"{CLUSTER}-worker-0:synced/")
        assert done == Outcome(0, "", "")
    there = others.home("worker", 0) / "synced" / "deep"
    assert {path.name: path.read_text() for path in there.iterdir()} == {
        "one.txt": "three",
        "three.txt": "three",
    }


def ansible(name: str) -> str:
    """Return one of Ansible's programs; without it the test is skipped, but not on CI."""
    here = Path(sys.executable).parent
    path = shutil.which(name, path=f"{here}:{os.environ['PATH']}")
    if path is None:
        message = "needs ansible-core"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


QUIET = {"ANSIBLE_SSH_ARGS": "-C", "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1"}
"""No connection of Ansible's is to outlive its test."""


def test_ansible_pings_all(others: Others) -> None:
    """All nodes answer to Ansible by their names, and there is nothing to warn of."""
    done = others.run(ansible("ansible"), "-i", "inventory.yml", "-m", "ping", "all", **QUIET)
    answers = [line for line in done.out.splitlines() if " | " in line]
    names = [f"{CLUSTER}-{name}" for name in ("master-0", "worker-0", "worker-1")]
    assert sorted(answers) == [f"{name} | SUCCESS => {{" for name in names]
    assert (done.code, done.err) == (0, "")


def test_ansible_knows_the_groups(others: Others) -> None:
    """There is a group for each tag, and one for the cluster, in YAML as in JSON."""
    told = others.tinycloud("inventory", CLUSTER, "--json")
    (others.folder / "inventory.json").write_text(told.out)
    found = []
    for file in ("inventory.yml", "inventory.json"):
        done = others.run(ansible("ansible-inventory"), "-i", file, "--list", **QUIET)
        assert (done.code, done.err) == (0, ""), done
        found.append(json.loads(done.out))
    assert found[0] == found[1]
    assert found[0]["Volt_ron"]["children"] == ["master", "worker"]
    assert found[0]["worker"]["hosts"] == [f"{CLUSTER}-worker-0", f"{CLUSTER}-worker-1"]


@pytest.fixture
def forged(others: Others) -> Iterator[Others]:
    """Have the keys of two nodes swapped in the known hosts: each node seems to be another."""
    right = others.known_hosts.read_text()
    master, first, *rest = (line.split(" ", 1) for line in right.splitlines(True))
    lines = [[master[0], first[1]], [first[0], master[1]], *rest]
    others.known_hosts.write_text("".join(f"{name} {key}" for name, key in lines))
    yield others
    others.known_hosts.write_text(right)


def test_a_host_that_is_not_who_it_should_be(forged: Others) -> None:
    """Nothing is sent to a host with another key, whatever the user's environment says."""
    refused = forged.ssh(f"{CLUSTER}-master-0", "touch", "entered")
    assert (refused.code, refused.out) == (255, "")
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.err
    words = ("-i", "inventory.yml", "-m", "ping", f"{CLUSTER}-worker-0")
    lax = {**QUIET, "ANSIBLE_HOST_KEY_CHECKING": "False"}
    done = forged.run(ansible("ansible"), *words, **lax)
    assert done.code == 4
    assert "UNREACHABLE" in done.out
    assert not (forged.home("master", 0) / "entered").exists()
    assert forged.ssh(f"{CLUSTER}-worker-1", "true").code == 0  # whose key is as it was


def test_a_host_whose_key_is_not_known(others: Others) -> None:
    """Ssh asks nobody whether to trust a host, and learns no key."""
    right = others.known_hosts.read_text()
    others.known_hosts.write_text("")
    try:
        refused = others.ssh(f"{CLUSTER}-master-0", "true")
        assert (refused.code, refused.out) == (255, "")
        assert "you have requested strict checking" in refused.err
        assert others.known_hosts.read_text() == ""
    finally:
        others.known_hosts.write_text(right)


def test_the_known_hosts_are_exactly_the_pinned_keys(others: Others) -> None:
    """One line for each node, the file is private, and printing again makes it whole."""
    folder = ClusterFolder(CLUSTER)
    pins = {node.id: folder.pinned(node.id) for node in others.nodes()}
    assert others.known_hosts.read_text() == "".join(f"{id_} {key}\n" for id_, key in pins.items())
    assert others.known_hosts.stat().st_mode & 0o777 == 0o600
    right = others.known_hosts.read_text()
    others.known_hosts.write_text("rubbish")
    assert others.tinycloud("ssh-config", CLUSTER).out == others.config.read_text()
    assert others.known_hosts.read_text() == right


def test_a_key_of_ones_own(others: Others, tmp_path: Path) -> None:
    """With -i that file is named, if it is a private key that is ours alone."""
    own = tmp_path / "own key"
    shutil.copy(others.known_hosts.parent / "key", own)
    told = others.tinycloud("ssh-config", CLUSTER, "-i", str(own))
    assert told.out.count(f'IdentityFile "{own}"') == 3
    own.chmod(0o644)
    assert others.tinycloud("inventory", CLUSTER, "-i", str(own)).refused().startswith("chmod 600")


@pytest.fixture
def launch(cli: Cli, state: Path) -> Iterator[Callable[[int], tuple[Node, ...]]]:
    """Launch voltron in this test's own state folder, of which nothing may be left."""

    def call(workers: int) -> tuple[Node, ...]:
        assert cli("launch", "voltron", "-n", str(workers), "--quiet").code == 0
        groups = [Group("master", 1, Local()), Group("worker", workers, Local())]
        return asyncio.run(Cloud(groups, name="voltron").list())

    yield call
    assert cli("destroy", "voltron").code == 0
    assert not state.exists()


def test_nodes_that_do_not_run_are_left_out(
    cli: Cli, state: Path, launch: Callable[[int], tuple[Node, ...]]
) -> None:
    """They are named, and their keys are kept; if no node runs that is an error."""
    kill(launch(1)[0])
    told = cli("ssh-config", "voltron")
    assert (told.code, told.err) == (0, "left out, since not running: master-0\n")
    assert re.findall("^Host .*", told.out, re.MULTILINE) == ["Host voltron-worker-0"]
    known = (state / "clusters" / "voltron" / "known_hosts").read_text()
    assert len(known.splitlines()) == 2  # it may be started again
    assert cli("stop", "voltron").code == 0
    for command in ("ssh-config", "inventory"):
        assert cli(command, "voltron").refused(5) == "tinycloud start voltron"


def test_a_lost_key(cli: Cli, state: Path, launch: Callable[[int], tuple[Node, ...]]) -> None:
    """Without the login key there is nothing that ssh could log in with, but -i helps."""
    launch(0)
    own = (state / "clusters" / "voltron" / "key").rename(state.parent / "saved")
    assert "-i" in cli("ssh-config", "voltron").refused()
    assert f'"{own}"' in cli("ssh-config", "voltron", "-i", str(own)).out


def test_a_lost_record(
    cli: Cli, state: Path, launch: Callable[[int], tuple[Node, ...]], program: Callable[[str], str]
) -> None:
    """Nodes that are found without a record can be told of, and nothing of that remains."""
    launch(0)
    own = (state / "clusters" / "voltron" / "key").rename(state.parent / "saved")
    shutil.rmtree(state / "clusters")
    config = state.parent / "config"
    config.write_text(cli("ssh-config", "voltron", "-i", str(own)).out)
    done = subprocess.run([program("ssh"), "-F", config, "voltron-master-0", "true"])
    assert done.returncode == 0


def test_a_cluster_that_nobody_knows(cli: Cli, state: Path) -> None:
    """It has nothing to be told of, and nothing is kept of it."""
    for command in ("ssh-config", "inventory"):
        assert cli(command, "nobody").refused(3)
    assert not state.exists()
