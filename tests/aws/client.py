"""A client of AWS's own making, to see what the world answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

DEBIAN = "ami-00dddd86000000001"


class Client:
    """An EC2 client that tries everything once."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def subnets(self) -> list[str]:
        """Return a subnet of each zone."""
        found = await self.client.describe_subnets()
        return [one["SubnetId"] for one in found["Subnets"]]

    async def run(self, subnet: str, *, least: int = 1, most: int = 1, **words: Any) -> list[str]:
        """Launch, and return the ids."""
        asked = {"ImageId": DEBIAN, "InstanceType": "t3.medium", "SubnetId": subnet, **words}
        launched = await self.client.run_instances(MinCount=least, MaxCount=most, **asked)
        return [one["InstanceId"] for one in launched["Instances"]]

    async def seen(self, *ids: str, **filters: str) -> dict[str, dict[str, Any]]:
        """Return the instances that are shown, by id."""
        wanted: dict[str, Any] = {"InstanceIds": list(ids)} if ids else {}
        if filters:
            named = {name.replace("_", "-"): value for name, value in filters.items()}
            wanted["Filters"] = [{"Name": k, "Values": [v]} for k, v in named.items()]
        found = await self.client.describe_instances(**wanted)
        every = [one for group in found["Reservations"] for one in group["Instances"]]
        return {one["InstanceId"]: one for one in every}

    async def states(self, *ids: str, **filters: str) -> dict[str, str]:
        """Return the states of the instances that are shown, by id."""
        found = await self.seen(*ids, **filters)
        return {id_: one["State"]["Name"] for id_, one in found.items()}


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    """Have a client for as long as the block lasts."""
    config = AioConfig(retries={"total_max_attempts": 1})
    async with get_session().create_client("ec2", config=config) as made:
        yield Client(made)
