"""What an instance costs in an hour, if the account may ask; nobody's launch depends on it."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...errors import TinycloudError
from .asking import Ask

PRICING_REGION = "us-east-1"
"""One of the few regions that tell the prices of all (AWS Price List Query API)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for an hour of one instance; the disk comes on top."""

    dollars: float
    spot: bool = False

    def of(self, count: int) -> str:
        """Return in words what so many cost."""
        kind = "spot, at the moment, " if self.spot else ""
        return f"{kind}${self.dollars:.4f} an hour each, ${count * self.dollars:.2f} in all"


UNKNOWN = "unknown (the account may not ask for prices)"


def product_filters(type_: str, region: str) -> list[dict[str, str]]:
    """Return what picks the one price of Linux on demand."""
    wanted = {
        "instanceType": type_,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    return [{"Type": "TERM_MATCH", "Field": field, "Value": v} for field, v in wanted.items()]


def parsed(products: Iterable[str]) -> Price | None:
    """Return the price that these products, as JSON, have; None unless it is a single one."""
    found = set()
    for product in products:
        terms: Mapping[str, Any] = json.loads(product).get("terms", {}).get("OnDemand", {})
        for term in terms.values():
            for dimension in term["priceDimensions"].values():
                found.add(float(dimension["pricePerUnit"].get("USD", 0)))
    found.discard(0.0)
    return Price(found.pop()) if len(found) == 1 else None


async def on_demand(ask_pricing: Ask, type_: str, region: str) -> Price | None:
    """Return what an instance costs on demand; None if nobody tells."""
    try:
        answer = await ask_pricing(
            "get_products", ServiceCode="AmazonEC2", Filters=product_filters(type_, region)
        )
        return parsed(answer.get("PriceList", []))
    except (TinycloudError, ValueError, KeyError, TypeError, AttributeError):
        _log.debug("no price", exc_info=True)
        return None


async def spot(ask: Ask, type_: str, zone: str) -> Price | None:
    """Return what an instance costs now as a spot instance in this zone; None if nobody tells."""
    try:
        answer = await ask(
            "describe_spot_price_history",
            InstanceTypes=[type_],
            AvailabilityZone=zone,
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC),
        )
        prices = [float(one["SpotPrice"]) for one in answer.get("SpotPriceHistory", [])]
        return Price(prices[0], spot=True) if prices else None
    except (TinycloudError, ValueError, KeyError, TypeError):
        _log.debug("no spot price", exc_info=True)
        return None
