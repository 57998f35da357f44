"""Answers are taken apart in a thread: a large one would hold up everything else for a second.

Imported only when a client is opened, since it loads the library.
"""

import asyncio
from typing import Any

from aiobotocore.parsers import AioResponseParserFactory

SMALL = 20_000
"""Bytes of an answer that are taken apart at once: some ten milliseconds."""


class ParserFactory(AioResponseParserFactory):  # type: ignore[misc]  # the library tells no types
    """Makes parsers that leave the loop free."""

    def create_parser(self, protocol_name: str) -> "_InThread":
        return _InThread(super().create_parser(protocol_name))


class _InThread:
    def __init__(self, parser: Any) -> None:
        self._parser = parser

    async def parse(self, response: Any, shape: Any) -> Any:
        if len(response["body"]) < SMALL:
            return await self._parser.parse(response, shape)
        return await asyncio.to_thread(_driven, self._parser.parse(response, shape))


def _driven(parse: Any) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        parse.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("parsing an answer waits for something")
