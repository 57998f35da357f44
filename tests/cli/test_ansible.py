"""A cluster in Ansible's words."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tinycloud import InvalidInput, ProviderError
from tinycloud.cli import ansible
from tinycloud.cloud.exports import Peer

from .peers import HOSTS, Ssh, gate, peer, ssh

__all__ = ["gate", "ssh"]


def test_ansible_goes_over_the_bastion(ssh: Ssh, gate: Peer) -> None:
    """Ansible, which is told of one host at a time, has a command that proves the bastion too."""
    content: Any = ansible.inventory("voltron", [peer(via=gate)], Path("/100%/known_hosts"))
    host = content["all"]["children"]["voltron"]["children"]["worker"]["hosts"]["voltron-worker-3"]
    found = ssh("", "10.0.0.7", *shlex.split(host["ansible_ssh_common_args"]))
    words = shlex.split(found["proxycommand"].replace("%%", "%"))
    assert words[0] == "ssh"
    assert words[-3:] == ["gate.example.com", "-W", "[%h]:%p"]
    inner = ssh("", "gate.example.com", *words[1:-3])
    assert (inner["user"], inner["port"]) == ("eve", "22")
    assert inner["hostkeyalias"] == "bastion+20gate:22"
    assert inner["stricthostkeychecking"] == "true"
    assert inner["identityfile"] == "/home/it's/k"
    assert inner["userknownhostsfile"] == "/100%/known_hosts"


def test_groups_are_named_as_ansible_wants() -> None:
    """Tags and the cluster make groups with different names, none of them one of Ansible's own."""
    peers = [
        peer(name=f"all-{tag}-0", tag=tag) for tag in ("all", "my-gpu", "my_gpu", "7up", "a.b")
    ]
    content: Any = ansible.inventory("all", peers, HOSTS)
    (whole,) = content["all"]["children"]
    groups = content["all"]["children"][whole]["children"]
    assert list(groups) == ["all_", "my_gpu", "my_gpu_", "_7up", "a_b"]
    assert whole == "all__"
    assert [list(group["hosts"]) for group in groups.values()] == [[p.name] for p in peers]


def test_yaml_reads_well() -> None:
    """Mappings are indented, words that YAML would take for something else are quoted."""
    content = {"a": {"b": {"c": 'x: "y" # ü', "yes": 22}}, "2024-01-10": True, "e": {}}
    assert ansible.yaml(content) == (
        'a:\n  b:\n    c: "x: \\"y\\" # ü"\n    "yes": 22\n"2024-01-10": true\ne: {}\n'
    )


def test_what_can_not_be_told_is_refused() -> None:
    """A path or an address that Ansible or ssh would take for more than that is not written."""
    with pytest.raises(InvalidInput, match="other programs can't be told"):
        ansible.inventory("voltron", [peer(key=Path("/state/{{ x }}/key"))], HOSTS)
    with pytest.raises(ProviderError, match="worker-3"):
        ansible.inventory("voltron", [peer(address="a b")], HOSTS)
