"""EC2 as a test meets it: an account of its own at a server of others, behind our rules."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tinycloud.drivers.aws import ending, launching, network, power, removal, sight

from .containers import Containers
from .moto import new_account
from .proxy import Proxy, Thread, serving
from .rules.addresses import Nowhere
from .rules.checks import Checks
from .rules.everything import everything
from .rules.groups import groups_in_use
from .rules.parameters import parameters
from .rules.states import States
from .rules.tokens import Tokens
from .rules.view import View
from .wire import Answer, Rule, instances, text

REGION = "us-east-1"
CANARY = "wJalrXUtnCANARYSECRETKEYbPxRfiCYEXAMPLEKEY"
"""The secret key of all who call: it must never be seen anywhere."""
LAUNCH_INDEX = "amiLaunchIndex"


def listed(indices: str) -> list[int]:
    """Return the indices that a tag names, as in `0-3,7`."""
    found: list[int] = []
    for part in indices.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


@dataclass(kw_only=True)
class World:
    """One account. `troubles` come between client and EC2, `shortages` between it and machines."""

    proxy: Proxy
    thread: Thread
    states: States
    troubles: list[Rule]
    shortages: list[Rule] = field(default_factory=list)
    containers: Containers | None = None

    def ask(self, action: str, region: str = REGION, **parameters: str) -> Answer:
        """Ask the server itself, past all rules; the log knows nothing of it."""
        answer: Answer = self.thread.run(self.proxy.ask(action, region, **parameters))
        assert not answer.code, answer.body
        return answer

    def instances(self, region: str = REGION) -> dict[str, str]:
        """Return the state of all instances that are not terminated, by id."""
        many = {"MaxResults": "1000"}
        found, token = {}, ""
        while True:
            more = {"NextToken": token} if token else {}
            tree = self.ask("DescribeInstances", region, **many, **more).tree
            for one in instances(tree):
                found[text(one, "instanceId")] = text(one, "instanceState/name")
            if not (token := text(tree, "nextToken")):
                return {one: state for one, state in found.items() if state != "terminated"}

    def tags(self, region: str = REGION) -> dict[str, dict[str, str]]:
        """Return the tags of all instances that are not terminated, by id."""
        found = {}
        for one in instances(self.ask("DescribeInstances", region).tree):
            pairs = {text(tag, "key"): text(tag, "value") for tag in one.findall("tagSet/item")}
            if text(one, "instanceState/name") != "terminated":
                found[text(one, "instanceId")] = {**pairs, LAUNCH_INDEX: text(one, LAUNCH_INDEX)}
        return found

    def nodes(self) -> list[str]:
        """Return the name of the node that each instance is, as its tags have it."""
        return [
            f"{tags['tinycloud:tag']}-{listed(tags['tinycloud:indices'])[int(tags[LAUNCH_INDEX])]}"
            for tags in self.tags().values()
            if "tinycloud:indices" in tags
        ]

    def left(self, region: str = REGION) -> list[str]:
        """Return the ids of all that there is but what every account has."""
        return [*self.instances(region), *self._others(region)]

    def _others(self, region: str) -> Iterator[str]:
        for action, item, name in (
            ("DescribeSecurityGroups", "securityGroupInfo/item", "groupId"),
            ("DescribeKeyPairs", "keySet/item", "keyName"),
            ("DescribeVolumes", "volumeSet/item", "volumeId"),
        ):
            for one in self.ask(action, region).tree.findall(item):
                if text(one, "groupName") != "default":
                    yield text(one, name)


@contextmanager
def world(server: str, containers: Containers | None = None) -> Iterator[World]:
    """Have a world for as long as the block lasts; in `containers`, if they are given."""
    proxy = Proxy(behind=server, account=new_account())
    states = States()
    with serving(proxy) as thread:
        made = World(
            proxy=proxy,
            thread=thread,
            states=states,
            troubles=[],
            containers=containers,
        )
        machines: Rule = containers if containers is not None else Nowhere()
        front: list[Rule] = [View(), Tokens()]
        back: list[Rule] = [states, machines, Checks(), groups_in_use, parameters, everything]
        proxy.line = lambda: [*made.troubles, *front, *made.shortages, *back]
        try:
            yield made
        finally:
            if containers is not None:
                thread.run(containers.close())


def aws_settings(url: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have all that look for AWS find this server, and nothing of the user's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def hurry(monkeypatch: pytest.MonkeyPatch, made: World | None = None) -> None:
    """Have the driver look often, and machines take no time: it is not that which is tested."""
    for module in (ending, launching, network, power, removal, sight):
        for name in {"INTERVAL", "LOOK_AGAIN"} & set(vars(module)):
            monkeypatch.setattr(module, name, 0.05)
    if made is not None:
        made.states.seconds = dict.fromkeys(made.states.seconds, 0.05)
