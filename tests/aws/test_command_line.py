"""The command line and EC2: plans, clusters that nobody here knows, strays, and no credentials."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinycloud.store import ClusterFolder

from .commands import done, tinycloud
from .moto import new_account
from .troubles.refused import Forbidden
from .world import CANARY, REGION, World

LAUNCH = ("launch", "v", "--driver", "aws", "-m", "debian", "-n", "1")


@pytest.fixture
def launched(ec2: World) -> Iterator[World]:
    """A cluster `v` of two nodes, which nobody has waited for."""
    done(*LAUNCH, "--no-wait", "--tag", "team=blue")
    yield ec2
    tinycloud("destroy", "v")  # some have done so already
    assert ec2.left() == []


def forget() -> None:
    """Lose all that is known here."""
    shutil.rmtree(Path(os.environ["TINYCLOUD_STATE_DIR"]))


def test_a_plan_makes_nothing(ec2: World) -> None:
    """It says what there is to say, in text and in JSON, and leaves neither machine nor record."""
    plan = tinycloud(*LAUNCH, "--dry")
    assert plan.returncode == 0
    assert "time to live: 8 hours" in plan.stdout
    assert "permissions: ec2:RunInstances is allowed" in plan.stdout
    assert "price: unknown" in plan.stdout
    remarks = json.loads(done(*LAUNCH, "--dry", "--json"))["remarks"]
    assert remarks["user"] == "admin"
    assert ec2.left() == []
    assert not ClusterFolder("v").exists()


def test_a_plan_says_what_is_missing(ec2: World) -> None:
    """A permission that the account lacks is named before anything is made."""
    ec2.troubles.append(Forbidden("RunInstances"))
    assert "ec2:RunInstances is NOT allowed" in done(*LAUNCH, "--dry")


def test_credentials_of_another_account(launched: World) -> None:
    """There a cluster is not gone, but not to be seen: nothing is forgotten, or touched."""
    proxy, own, other = launched.proxy, launched.proxy.account, new_account()
    proxy.account = other
    for verb, code in (("list", 4), ("destroy", 8), ("stop", 4), ("start", 4)):
        refused = tinycloud(verb, "v")
        assert refused.returncode == code
        assert f"cluster 'v' is in account {own} of AWS" in refused.stderr
        assert f"these credentials are of account {other}" in refused.stderr
    assert launched.left() == []
    proxy.account = own
    assert len(done("list", "v").splitlines()) == 3


def test_launched_again_with_credentials_of_another_account(launched: World) -> None:
    """No second cluster is made; and nothing is asked of an account that shows the first."""
    proxy, own = launched.proxy, launched.proxy.account
    proxy.account = new_account()
    assert tinycloud(*LAUNCH, "--no-wait").returncode == 4
    assert launched.left() == []
    proxy.account = own
    before = proxy.count("GetCallerIdentity")
    assert len(done("list", "v").splitlines()) == 3
    assert proxy.count("GetCallerIdentity") == before


def test_nobody_tells_the_account(ec2: World) -> None:
    """A launch does without, and so does all that follows."""
    ec2.troubles.append(Forbidden("GetCallerIdentity"))
    done(*LAUNCH, "--no-wait")
    done("destroy", "v")
    assert ec2.left() == []


def test_a_launch_says_when_its_nodes_end(launched: World) -> None:
    """Eight hours by default; the list of nodes and of clusters has it too."""
    assert done("list").splitlines()[0].split()[-1] == "TTL"
    head, *rows = done("list", "v").splitlines()
    assert head.split()[-1] == "EXPIRES"
    assert len(rows) == 2
    assert all("expires_at" in node for node in json.loads(done("list", "v", "--json")))


def test_another_machine(launched: World) -> None:
    """One that has no record lists the nodes, and can destroy them."""
    forget()
    where = ("--driver", "aws", "--region", REGION)
    nodes = json.loads(done("list", "v", *where, "--json"))
    assert [node["name"] for node in nodes] == ["master-0", "worker-0"]
    assert set(json.loads(done("status", "v", *where, "--json"))) == {"master-0", "worker-0"}
    refused = tinycloud("execute", "v", "-e", "true", *where)
    assert refused.returncode == 2
    assert "(-i)" in refused.stderr
    done("destroy", "v", *where)
    assert launched.left() == []


def test_strays(launched: World) -> None:
    """What is known here is none; once it is forgotten it is found, and removed if told to."""
    assert json.loads(done("reap", "--json")) == []
    forget()
    (stray,) = json.loads(done("reap", "--json"))
    assert (stray["cluster"], stray["where"]) == ("v", REGION)
    assert set(launched.instances()) < set(stray["resources"])
    assert json.loads(done("reap", "--older-than", "1h", "--json")) == []
    done("reap", "--yes")
    assert launched.left() == []


def test_allow(launched: World) -> None:
    """It says who may connect."""
    assert json.loads(done("allow", "v", "--allow", "10.0.0.0/8", "--json")) == [
        "127.0.0.1/32",
        "10.0.0.0/8",
    ]


def test_who_has_moved_is_told_so(launched: World) -> None:
    """A login and a command that get no answer say that the rules are of another address."""
    groups = launched.ask("DescribeSecurityGroups").tree.findall("securityGroupInfo/item")
    (group,) = [one for one in groups if one.findtext("groupName", "").startswith("tinycloud-v-")]
    rule = {"IpProtocol": "tcp", "FromPort": "22", "ToPort": "22"}
    rule["IpRanges.1.CidrIp"] = "127.0.0.1/32"
    launched.ask(
        "RevokeSecurityGroupIngress",
        GroupId=group.findtext("groupId", ""),
        **{f"IpPermissions.1.{name}": value for name, value in rule.items()},
    )
    login = tinycloud("login", "v")
    assert login.returncode == 5
    assert "your address is 127.0.0.1, and the rules of the cluster let in nobody" in login.stderr
    assert login.stderr.endswith("fix: tinycloud allow v\n")
    executed = tinycloud("execute", "v", "-e", "true")
    assert executed.returncode == 5
    assert executed.stderr.count("your address is 127.0.0.1") >= 1


@pytest.mark.parametrize("words", [(*LAUNCH, "--dry"), LAUNCH, ("reap",), ("list", "v")])
def test_no_credentials(
    ec2: World, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """It is said so, with the three ways to have some; nothing is asked, and nothing kept."""
    if words[0] == "list":
        words = (*words, "--driver", "aws", "--region", REGION)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    refused = tinycloud(*words)
    assert refused.returncode == 2
    assert "error: there are no credentials for AWS" in refused.stderr
    for way in ("aws configure", "aws sso login", "AWS_ACCESS_KEY_ID"):
        assert way in refused.stderr
    assert ec2.proxy.calls == []
    assert not ClusterFolder("v").exists()


def test_secrets_are_not_said(launched: World) -> None:
    """Not in a record, and not with --debug."""
    said = tinycloud("list", "v", "--debug")
    assert CANARY not in said.stdout + said.stderr
    record = (ClusterFolder("v").path / "record.json").read_text()
    assert CANARY not in record
    assert "PRIVATE KEY" not in record + said.stderr
