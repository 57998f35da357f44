"""Machines that exist already, on the command line, as their owner would use them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from cli.running import PROGRAM, Cli, Outcome, Terminal, run
from openssh import OpenSSH, openssh

from .conftest import Rack


@pytest.fixture(autouse=True)
def all_gone(state: Path) -> Iterator[None]:
    """Nothing is kept of the clusters that a test has destroyed."""
    yield
    assert not state.exists()


def launched(rack: Rack, *words: str) -> Outcome:
    """Launch the cluster `rack` of all machines, or as the words say."""
    hosts = () if "--host" in words else ("--host", rack.sets)
    return run("launch", "rack", "--driver", "hosts", "--user", rack.user, *hosts, *words)


def names(outcome: Outcome) -> list[str]:
    """Return the nodes in a table, in its order."""
    assert outcome.code == 0, outcome
    return [line.split()[0] for line in outcome.out.splitlines()[1:]]


def test_the_whole_path(rack: Rack) -> None:
    """Every verb works on machines that exist; the first is the master, and the rest workers."""
    rack.know()
    outcome = launched(rack)
    assert names(outcome) == ["master-0", *(f"worker-{index}" for index in range(5))]
    assert "driver: hosts (as --driver says)" in outcome.err
    assert [line.split()[2] for line in outcome.out.splitlines()[1:]] == list(rack.addresses)
    assert names(run("list", "rack", "worker")) == [f"worker-{index}" for index in range(5)]
    done = run("execute", "rack", "worker", "1-2", "-e", "echo $TINYCLOUD_NODE")
    assert sorted(done.out.splitlines()) == ["worker-1: worker-1", "worker-2: worker-2"]
    assert run("stop", "rack").lines == ["6 nodes of 'rack' are taken for stopped"]
    assert {line.split()[1] for line in run("status", "rack").out.splitlines()[1:]} == {"stopped"}
    assert run("execute", "rack", "-e", "true").code == 5
    assert run("start", "rack").code == 0
    assert run("execute", "rack", "-e", "true").code == 0
    assert run("destroy", "rack").lines == ["6 nodes of 'rack' are forgotten"]
    assert run("list", "rack").code == 3


def test_as_many_as_asked_for(rack: Rack) -> None:
    """With -n it is one master and so many workers; a later launch without it takes no more."""
    rack.know()
    assert names(launched(rack, "-n", "2")) == ["master-0", "worker-0", "worker-1"]
    assert names(run("launch", "rack")) == ["master-0", "worker-0", "worker-1"]
    assert len(names(run("launch", "rack", "-n", "3"))) == 4
    assert len(names(launched(rack))) == 6
    run("destroy", "rack")


def test_one_host(rack: Rack) -> None:
    """A single machine is a master without workers, and --host alone says which driver it is."""
    rack.know(3)
    outcome = run("launch", "one", "--host", rack.place(3), "--user", rack.user)
    assert names(outcome) == ["master-0"]
    assert "driver: hosts (since --host names machines that exist)" in outcome.err
    run("destroy", "one")


def test_sets_and_single_hosts(rack: Rack) -> None:
    """--host may be repeated, takes sets and ports, and the order is that of the command line."""
    rack.know()
    port = rack.server.port
    words = ("--host", rack.place(4), "--host", f"127.0.0.[2-3]:{port},{rack.place(5)}")
    outcome = launched(rack, *words)
    assert [line.split()[2] for line in outcome.out.splitlines()[1:]] == [
        rack.addresses[number] for number in (4, 0, 1, 5)
    ]
    run("destroy", "rack")


def test_unknown_and_changed_keys(rack: Rack) -> None:
    """They are told apart, with fingerprints and remedies; only unknown ones can be accepted."""
    wrong = asyncssh.generate_private_key("ssh-ed25519")
    rack.know(0, key=wrong.export_public_key().decode().strip())
    shown = rack.server.host.get_fingerprint()
    first = launched(rack, "--host", f"{rack.place(1)},{rack.place(0)}")
    assert first.code == 6
    assert f"the host key of master-0 is not known ({rack.addresses[1]} port" in first.err
    assert first.err.count(shown) >= 2
    assert f"known: {wrong.get_fingerprint()} of {rack.known_hosts} line 1" in first.err
    assert "--accept-new" in first.lines[-1]
    second = launched(rack, "--host", f"{rack.place(1)},{rack.place(0)}", "--accept-new")
    assert second.code == 6
    assert "master-0" not in re.sub("forgotten again: .*", "", second.err)
    assert f"{rack.known_hosts} line 1" in second.lines[-1]
    assert rack.known_hosts.read_text().count("\n") == 1
    third = launched(rack, "--host", f"{rack.place(1)},{rack.place(2)}", "--accept-new")
    assert third.code == 0, third
    assert run("execute", "rack", "-e", "true").code == 0
    run("destroy", "rack")


def test_a_key_that_is_named_once(rack: Rack, tmp_path: Path) -> None:
    """Launched with -i, all later commands know the key."""
    rack.know()
    rack.key.rename(tmp_path / "mine")
    refused = launched(rack)
    assert (refused.code, refused.out) == (2, "")
    assert refused.lines[-1] == "fix: pass the file of a private key (-i)"
    assert launched(rack, "-i", str(tmp_path / "mine")).code == 0
    assert run("execute", "rack", "-e", "true").code == 0
    run("destroy", "rack")


def test_a_file_of_known_hosts(rack: Rack, tmp_path: Path) -> None:
    """--known-hosts names another file, for later commands too."""
    rack.know()
    rack.known_hosts.rename(tmp_path / "known")
    assert launched(rack, "--known-hosts", str(tmp_path / "known")).code == 0
    assert run("execute", "rack", "-e", "true").code == 0
    run("destroy", "rack")
    refused = launched(rack, "--known-hosts", str(tmp_path / "none"))
    assert (refused.code, refused.out) == (2, "")
    assert str(tmp_path / "none") in refused.err


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["--driver", "hosts"], "--host '10.0.0.[1-8]'"),
        (["--host", "10.0.0.[1-8"], "write it like"),
        (["--host", "10.0.0.[1-999999]"], "name fewer"),
        (["--host", "-oProxyCommand=x"], "brackets around an IPv6"),
        (["--host", "gate:0"], "brackets around an IPv6"),
        (["--host", "gate", "-n", "1"], "name more hosts"),
        (["--host", "gate", "--driver", "local"], "leave it out"),
        (["--host", "gate", "--via", "a b"], "brackets around an IPv6"),
        (["--host", "gate", "--accept-new", "--no-wait"], "without --no-wait"),
        (["--user", "pi"], "leave it out"),
        (["-i", "/dev/null"], "--authorize"),
    ],
)
def test_bad_input(rack: Rack, cli: Cli, words: list[str], remedy: str) -> None:
    """Each mistake is an error in two lines, with a remedy of its own, and nothing is touched."""
    outcome = cli("launch", "rack", *words)
    errors = [line for line in outcome.lines if not line.startswith("driver: ")]
    assert (outcome.code, outcome.out, len(errors)) == (2, "", 2), outcome
    assert errors[0].startswith("error: ")
    assert remedy in errors[1]


def test_no_key_is_spread(rack: Rack) -> None:
    """Machines that are not ours are not told to accept a key."""
    public = rack.ssh / "id.pub"
    public.write_text(rack.server.host_key)
    refused = launched(rack, "--authorize", str(public))
    assert (refused.code, refused.out) == (2, "")
    assert "ssh-copy-id" in refused.lines[-1]


def test_a_plan(rack: Rack, cli: Cli) -> None:
    """A dry run shows which nodes there would be, and needs neither name nor machine."""
    outcome = cli("launch", "-d", "--host", "10.0.0.[1-8]", "--json")
    plan = json.loads(outcome.out)
    assert (plan["driver"], plan["options"]) == ("hosts", {"addresses": ["10.0.0.[1-8]"]})
    assert [(group["tag"], len(group["create"])) for group in plan["groups"]] == [
        ("master", 1),
        ("worker", 7),
    ]


def test_login(rack: Rack) -> None:
    """A login gives a shell on the machine, and its exit status."""
    rack.know()
    assert launched(rack, "-n", "0").code == 0
    with Terminal([PROGRAM, "login", "rack"]) as terminal:
        terminal.type("echo on $SSH_CONNECTION; exit 7\n")
        assert terminal.to_the_end() == 7
        assert "on 127.0.0.1" in terminal.shown
    run("destroy", "rack")


@pytest.fixture
def gate(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """A bastion, with default settings."""
    with openssh(program("sshd")) as server:
        yield server


def test_behind_a_bastion(rack: Rack, gate: OpenSSH) -> None:
    """--via is recorded, and each command logs in to the bastion once for all nodes."""
    rack.know()
    authorized = gate.log.parent / "authorized_keys"
    key = asyncssh.import_private_key(rack.key.read_bytes())
    authorized.write_bytes(key.export_public_key())
    via = ("--via", f"{gate.node().username}@127.0.0.1:{gate.port}")
    refused = launched(rack, *via)
    assert refused.code == 6
    assert f"via bastion {via[1]} (the host key of that bastion is not known" in refused.err
    assert gate.log.read_text().count("Accepted") == 0
    assert launched(rack, *via, "--accept-new").code == 0
    assert gate.log.read_text().count("Accepted") == 1
    done = run("execute", "rack", "-e", "echo $SSH_CONNECTION")
    assert len(done.out.splitlines()) == 6
    assert gate.log.read_text().count("Accepted") == 2
    gate.stop()
    lost = run("execute", "rack", "-e", "true")
    assert lost.code == 5
    assert "it via bastion" in lost.err
    gate.start()
    assert run("execute", "rack", "-e", "true").code == 0
    run("destroy", "rack")
