"""A way to ask the world that keeps no rule but our own words for what it refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from botocore.exceptions import ClientError

from tinycloud import ProviderError
from tinycloud.drivers.aws.asking import Answer, Ask

from .client import Client, client


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[Client, Ask]]:
    """Have a client for as long as the block lasts, and what a room of the driver asks with."""
    async with client() as aws:

        async def ask(operation: str, **parameters: Any) -> Answer:
            try:
                answer: Answer = await getattr(aws.client, operation)(**parameters)
            except ClientError as error:
                raise ProviderError(str(error)) from error
            return answer

        yield aws, ask
