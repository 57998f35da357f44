"""What a launch would take, as EC2 itself tells it, and nothing is made."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tinycloud.drivers.aws import planning
from tinycloud.drivers.aws.planning import Outlook, Probe

from .asked import asking
from .client import DEBIAN, Client
from .test_price import answering, limited, product
from .troubles.refused import Forbidden
from .world import REGION, World

OUTLOOK = Outlook(
    sizes={"master": 1, "worker": 5, "idle": 0},
    type="t3.medium",
    image=DEBIAN,
    image_name="debian",
    username="admin",
    ports=(22, 8080),
    networks=("192.0.2.7/32",),
    ttl="8 h",
    region=REGION,
    zone=f"{REGION}a",
    spot=False,
)
WORDS = {"ImageId": DEBIAN, "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 6}


def probing(aws: Client) -> Probe:
    """Return what asks the world for a dry run."""

    async def probe(operation: str, **parameters: Any) -> str:
        try:
            await getattr(aws.client, operation)(DryRun=True, **parameters)
        except ClientError as error:
            code: str = error.response["Error"]["Code"]
            return code
        raise AssertionError("a dry run was none")

    return probe


async def outlook(ec2: World, **answers: Any) -> dict[str, str]:
    """Return what is said of the launch where prices and quotas have these answers."""
    async with asking() as (aws, ask):
        return await planning.remarks(
            OUTLOOK,
            ask=ask,
            pricing=answering(**answers),
            quotas=limited(64),
            probe=probing(aws),
            words=WORDS,
        )


async def test_all_that_there_is_to_say(ec2: World) -> None:
    """Image, user, rules, time to live, price, quota and permissions; nothing is made."""
    found = await outlook(ec2, get_products={"PriceList": [product("0.0416")]})
    assert found["image"] == f"{DEBIAN} (debian)"
    assert found["user"] == "admin"
    assert found["rules"].startswith("port 22, 8080 from 192.0.2.7/32; everything between")
    assert found["time to live"] == "8 h"
    assert found["price"] == "$0.0416 an hour each, $0.25 in all"
    assert found["quota"].startswith("it fits: 12 vCPUs wanted, 0 in use, 64 allowed")
    assert found["permissions"] == (
        "ec2:RunInstances is allowed; ec2:CreateSecurityGroup is allowed"
    )
    assert "2 x RunInstances" in found["calls"]
    assert ec2.left() == []


@pytest.mark.parametrize("action", ["RunInstances", "CreateSecurityGroup"])
async def test_a_permission_that_is_missing(ec2: World, action: str) -> None:
    """It is named."""
    ec2.troubles.append(Forbidden(action))
    found = await outlook(ec2)
    assert f"ec2:{action} is NOT allowed" in found["permissions"]
    assert found["permissions"].count("NOT") == 1
    assert ec2.left() == []


async def test_what_may_not_be_asked_is_unknown(ec2: World) -> None:
    """Nobody's plan fails for want of a price."""
    found = await outlook(ec2)
    assert found["price"] == "unknown (the account may not ask for prices)"


async def test_an_answer_that_tells_nothing(ec2: World) -> None:
    """Another error than the two that tell is quoted."""
    ec2.troubles.append(Forbidden("RunInstances", code="InvalidAMIID.NotFound", status=400))
    found = await outlook(ec2)
    assert "ec2:RunInstances can't be told (InvalidAMIID.NotFound)" in found["permissions"]
