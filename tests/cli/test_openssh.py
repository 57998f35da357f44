"""A cluster in OpenSSH's words, as OpenSSH reads them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud import InvalidInput, ProviderError
from tinycloud.cli import openssh
from tinycloud.cloud.exports import Peer

from .peers import HOSTS, KEY, Ssh, gate, peer, ssh

__all__ = ["gate", "ssh"]


def test_ssh_reads_what_it_is_told(ssh: Ssh) -> None:
    """The configuration means: this machine, proven by its pinned key; one key, and no agent."""
    found = ssh(openssh.ssh_config([peer(), peer(name="other", port=1)], HOSTS))
    expected = {
        "hostname": "10.0.0.7",
        "port": "2222",
        "user": "ada",
        "hostkeyalias": "i-0abc",
        "identityfile": "/state/key",
        "userknownhostsfile": "/state/known_hosts",
        "globalknownhostsfile": "/dev/null",
        "stricthostkeychecking": "true",
        "identitiesonly": "yes",
        "identityagent": "none",
        "updatehostkeys": "false",
        "checkhostip": "no",
        "verifyhostkeydns": "false",
        "nohostauthenticationforlocalhost": "no",
        "preferredauthentications": "publickey",
    }
    assert {name: found[name] for name in expected} == expected


def test_other_names_stay_as_they_are(ssh: Ssh) -> None:
    """A configuration is about its own nodes: no other host is told anything."""
    text = openssh.ssh_config([peer()], HOSTS)
    assert ssh(text, "worker-3") == ssh("", "worker-3")
    assert ssh(text, "voltron-worker-33") == ssh("", "voltron-worker-33")


@pytest.mark.parametrize("name", ["a b", "it's", "100%h%%", "$HOME", "ü", "~", "#", "a,b", "-x"])
def test_paths_with_odd_names(ssh: Ssh, name: str) -> None:
    """Whatever a folder is called, the files in it are named so that ssh finds them."""
    folder = Path("/state", name)
    found = ssh(openssh.ssh_config([peer(key=folder / "key")], folder / "known_hosts"))
    # -G shows the key before tokens are replaced, and known hosts after.
    assert found["identityfile"] == str(folder / "key").replace("%", "%%")
    assert found["userknownhostsfile"] == str(folder / "known_hosts")


@pytest.mark.parametrize("name", ['"', "\\", "${HOME}", "a\nProxyCommand x", "\x1b", "{{ x }}"])
def test_paths_that_can_not_be_named(name: str) -> None:
    """What another program would take for more than a name is refused, and never half written."""
    path = Path("/state", name, "file")
    for told, hosts in ((peer(key=path), HOSTS), (peer(), path)):
        with pytest.raises(InvalidInput, match="other programs can't be told"):
            openssh.ssh_config([told], hosts)


@pytest.mark.parametrize(
    "change",
    [
        {"address": "10.0.0.7\n    ProxyCommand touch /tmp/x"},
        {"address": "-oProxyCommand=x"},
        {"address": "a b"},
        {"address": "h:22"},
        {"address": ""},
        {"address": None},
        {"username": "ada\nProxyCommand x"},
        {"username": "-x"},
        {"username": "a b"},
        {"username": 'a"b'},
    ],
)
def test_what_a_driver_says_of_a_node_is_not_taken_for_more(change: dict[str, str | None]) -> None:
    """An address or a user that holds a setting or an option is refused, and names the node."""
    with pytest.raises(ProviderError, match="worker-3"):
        openssh.ssh_config([peer(**change)], HOSTS)


@pytest.mark.parametrize("address", ["node.example.com", "::1", "fe80::1%eth0", "10.0.0.7"])
@pytest.mark.parametrize("user", ["ada", "DOMAIN\\ada", "ada@example.com", "a.b_c-d+e$"])
def test_addresses_and_users_of_all_kinds(ssh: Ssh, address: str, user: str) -> None:
    """Names, addresses of both kinds and users as directories have them arrive as they are."""
    found = ssh(openssh.ssh_config([peer(address=address, username=user)], HOSTS))
    assert (found["hostname"], found["user"]) == (address, user)


def test_without_a_key_of_ours_the_users_own_are_used(ssh: Ssh) -> None:
    """Where the user's own key logs in, ssh takes the keys and the agent that it always does."""
    found, usual = ssh(openssh.ssh_config([peer(key=None)], HOSTS)), ssh("", "elsewhere")
    for name in ("identityfile", "identitiesonly", "identityagent"):
        assert found.get(name) == usual.get(name)
    assert found["stricthostkeychecking"] == "true"


@pytest.fixture
def keygen(program: Callable[[str], str], tmp_path: Path) -> Callable[[str, str], str]:
    """Have ssh-keygen look a host up in a file of known hosts."""
    path = program("ssh-keygen")

    def look(text: str, host: str) -> str:
        file = tmp_path / "known_hosts"
        file.write_text(text)
        done = subprocess.run([path, "-F", host, "-f", file], capture_output=True, text=True)
        return "".join(line for line in done.stdout.splitlines(True) if line[0] != "#")

    return look


@pytest.mark.parametrize(
    "id_",
    ["i-0abc", "local-1f90a993846b", "UPPER", "10.0.0.1:22", "a b", "*", "!x", "|1|", "@a", "ü"],
)
def test_a_host_key_is_found_under_the_alias(keygen: Callable[[str, str], str], id_: str) -> None:
    """Any id makes a word under which its key is found, and no other machine's."""
    peers = [peer(id=id_), peer(name="b", id=f"{id_}x", host_keys=KEY + "other")]
    text = openssh.known_hosts(peers)
    alias = openssh.alias(peers[0])
    assert keygen(text, alias) == f"{alias} {KEY}\n"
    assert len(text.splitlines()) == 2


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_no_two_ids_have_one_alias(ids: list[str]) -> None:
    """Machines that differ in their ids differ in what their keys are filed under."""
    one, two = (openssh.alias(peer(id=id_)) for id_ in ids)
    assert one != two
    assert (one.isascii(), one.islower() or not any(map(str.isalpha, one))) == (True, True)


def test_all_that_is_known_of_a_host_is_told() -> None:
    """Several keys, authorities and revoked keys are lines of their own; comments are left out."""
    lines = (
        f"{KEY} /home/ada/.ssh/known_hosts:1\n@cert-authority {KEY}A\n@revoked {KEY}B x\n\nrubbish"
    )
    text = openssh.known_hosts([peer(host_keys=lines, address="N1.example.com")])
    assert text == (
        f"n1.example.com {KEY}\n"
        f"@cert-authority n1.example.com {KEY}A\n"
        f"@revoked n1.example.com {KEY}B\n"
    )


def test_a_certificate_is_looked_for_where_the_machine_is() -> None:
    """Certificates are made out to addresses, pinned keys belong to machines."""
    assert openssh.alias(peer(host_keys=f"@cert-authority {KEY}")) == "10.0.0.7"
    assert openssh.alias(peer(host_keys=f"@revoked {KEY}")) == "i-0abc"


def test_ssh_goes_over_the_bastion(ssh: Ssh, gate: Peer) -> None:
    """The bastion is a host of its own, held to its own key, and named once."""
    peers = [peer(via=gate), peer(name="voltron-worker-4", via=gate)]
    text = openssh.ssh_config(peers, HOSTS)
    assert text.count(f"Host {gate.name}\n") == 1
    assert ssh(text)["proxyjump"] == gate.name
    found = ssh(text, gate.name)
    assert "proxyjump" not in found
    assert (found["hostname"], found["user"]) == ("gate.example.com", "eve")
    assert found["hostkeyalias"] == "bastion+20gate:22"
    assert openssh.known_hosts(peers).count("bastion+20gate:22 ") == 1
