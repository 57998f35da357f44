"""What a launch would cost, and whether the account may: from answers as AWS gives them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tinycloud import ProviderError
from tinycloud.drivers.aws import price
from tinycloud.drivers.aws.asking import Answer, Ask
from tinycloud.drivers.aws.price import Price
from tinycloud.drivers.aws.quota import Quota, code, quota

from .asked import asking
from .world import World


def product(*dollars: str) -> str:
    """Return a product of the price list, as it comes: JSON within JSON."""
    dimensions = {str(n): {"pricePerUnit": {"USD": one}} for n, one in enumerate(dollars)}
    return json.dumps({"terms": {"OnDemand": {"X.Y": {"priceDimensions": dimensions}}}})


def answering(**answers: Any) -> Ask:
    """Return a way to ask that gives these answers, and refuses what it has none for."""

    async def ask(operation: str, **parameters: Any) -> Answer:
        if operation not in answers:
            raise ProviderError(f"may not {operation}")
        answer = answers[operation]
        found: Answer = answer(**parameters) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
        return found

    return ask


async def test_the_price_of_one_product() -> None:
    """It is for an hour; upfront prices of nothing are passed over."""
    ask = answering(get_products={"PriceList": [product("0.0416000000", "0.0000000000")]})
    found = await price.on_demand(ask, "t3.medium", "eu-west-1")
    assert found == Price(0.0416)
    assert found.of(6) == "$0.0416 an hour each, $0.25 in all"


@pytest.mark.parametrize("products", [[], [product("0.1"), product("0.2")], ["{}"], ["[]"], ["x"]])
async def test_no_price_rather_than_a_wrong_one(products: list[str]) -> None:
    """None, several, or what can't be read: nobody is told a price that may be another's."""
    ask = answering(get_products={"PriceList": products})
    assert await price.on_demand(ask, "t3.medium", "eu-west-1") is None


async def test_who_may_not_ask_is_told_nothing() -> None:
    """A missing permission is no reason to fail."""
    assert await price.on_demand(answering(), "t3.medium", "eu-west-1") is None
    assert await price.spot(answering(), "t3.medium", "eu-west-1a") is None
    assert await quota(answering(), answering(), "t3.medium", 1) is None


async def test_the_price_of_a_spot_instance() -> None:
    """It is the present one of that zone."""
    ask = answering(describe_spot_price_history={"SpotPriceHistory": [{"SpotPrice": "0.012500"}]})
    found = await price.spot(ask, "t3.medium", "eu-west-1a")
    assert found is not None
    assert found.of(2) == "spot, at the moment, $0.0125 an hour each, $0.03 in all"


@pytest.mark.parametrize(
    ("type_", "on_demand"),
    [
        ("t3.medium", "L-1216C47A"),
        ("m7i.large", "L-1216C47A"),
        ("d3.xlarge", "L-1216C47A"),
        ("im4gn.large", "L-1216C47A"),
        ("g5.xlarge", "L-DB2E81BA"),
        ("p4d.24xlarge", "L-417A185B"),
        ("inf2.xlarge", "L-1945791B"),
        ("x2gd.medium", "L-7295265B"),
        ("u-6tb1.metal", "L-43DA4232"),
        ("dl1.24xlarge", "L-6E869C2A"),
        ("hpc6a.48xlarge", "L-F7808C92"),
    ],
)
def test_which_quota_counts(type_: str, on_demand: str) -> None:
    """It goes by the letters that a type begins with."""
    assert code(type_, spot=False) == on_demand
    assert code(type_, spot=True) != on_demand


def limited(vcpus: float) -> Ask:
    """Return a way to ask for a quota."""
    return answering(get_service_quota={"Quota": {"Value": vcpus}})


async def test_what_runs_already_counts(ec2: World) -> None:
    """Instances of other kinds, and stopped ones, do not."""
    async with asking() as (aws, ask):
        subnet, *_ = await aws.subnets()
        await aws.run(subnet, most=2, InstanceType="t3.medium")
        await aws.run(subnet, InstanceType="g4dn.xlarge")
        stopped = await aws.run(subnet)
        await ask("stop_instances", InstanceIds=stopped)
        found = await quota(ask, limited(8), "t3.medium", 2)
        assert found is not None
        assert (found.wanted, found.used, found.fits) == (4, 4, True)
        more = await quota(ask, limited(8), "t3.medium", 3)
        assert more is not None
        assert not more.fits
        assert (
            str(more) == "it does NOT fit: 6 vCPUs wanted, 4 in use, 8 allowed (quota L-1216C47A)"
        )


def test_a_quota_in_words() -> None:
    """It says so when it fits, too."""
    assert str(Quota(code="L-1", limit=8, used=0, wanted=8)).startswith("it fits: 8 vCPUs wanted")
