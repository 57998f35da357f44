"""The policy in the documentation is complete: it allows each call that there is, and no other."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest

from tinycloud import GroupSpec, drivers
from tinycloud.drivers.aws import AWS

from .world import World

PAGE = Path(__file__).parents[2] / "docs" / "aws.md"
SOURCES = sorted((Path(drivers.__file__).parent / "aws").glob("*.py"))
SERVICES = {
    "ec2": "ec2",
    "pricing": "pricing",
    "service-quotas": "servicequotas",
    "ssm": "ssm",
    "sts": "sts",
}
TOUCHES_OTHERS = {"DeleteSecurityGroup", "DeleteVolume", "StopInstances", "TerminateInstances"}


def statements() -> list[dict[str, object]]:
    """Return the statements of the policy in the documentation."""
    (text,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found: list[dict[str, object]] = json.loads(text)["Statement"]
    return found


def allowed() -> set[str]:
    """Return all actions that the policy allows."""
    return {action for one in statements() for action in _listed(one["Action"])}


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def operations() -> dict[str, str]:
    """Return the actions of the services that we ask, by what botocore calls them."""
    session = botocore.session.get_session()
    found: dict[str, str] = {}
    for service, prefix in SERVICES.items():
        for name in session.get_service_model(service).operation_names:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
            found.setdefault(words, f"{prefix}:{name}")
    return found


def asked() -> Iterator[str]:
    """Yield every word in the driver's sources that is the name of a call."""
    for source in SOURCES:
        for one in ast.walk(ast.parse(source.read_text())):
            if isinstance(one, ast.Call):
                for word in one.args[:2]:
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        yield word.value


def test_every_call_is_allowed_and_nothing_else() -> None:
    """The actions of the policy are those of the calls in the driver's sources."""
    known = operations()
    called = {known[word] for word in asked() if word in known}
    assert len(called) > 20
    # Tags are put on what RunInstances and CreateSecurityGroup make, which needs CreateTags.
    assert called | {"ec2:CreateTags"} == allowed()


def test_what_ends_things_is_for_what_carries_our_tag() -> None:
    """The policy lets nobody destroy what is not tinycloud's."""
    bound = [one for one in statements() if "Condition" in one]
    actions = {action for one in bound for action in _listed(one["Action"])}
    assert {f"ec2:{name}" for name in TOUCHES_OTHERS} <= actions
    free = [one for one in statements() if "Condition" not in one]
    for action in (action for one in free for action in _listed(one["Action"])):
        assert not re.search(":(Delete|Terminate|Stop|Modify|Revoke)", action)


@pytest.mark.parametrize("count", [2])
async def test_the_log_of_a_life_holds_no_other_call(ec2: World, count: int) -> None:
    """What EC2 is asked from launch to destroy is allowed, as its own log shows it."""
    spec = GroupSpec(cluster="v", tag="web", count=count, ttl=60, generation="a" * 32)
    async with AWS() as driver:
        await driver.preview([spec])
        await driver.prepare(spec)
        nodes = await driver.start(spec)
        await driver.extend(spec, nodes, None)
        await driver.allow(spec, ["10.0.0.0/8"])
        await driver.explain(spec, nodes[0])
        await driver.strays()
        await driver.stop(spec)
        await driver.start(spec)
        await driver.destroy(spec)
    names = {action.partition(":")[2] for action in allowed()}
    assert set(ec2.proxy.names()) <= names
