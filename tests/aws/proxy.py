"""A proxy before a server that speaks the EC2 API: rules and troubles in between, and a log."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import aiohttp
from aiohttp import web

from .wire import Answer, Ask, Cut, Refused, Request, Rule

PASSED_ON = ("Authorization", "Content-Type", "X-Amz-Target", "X-Amz-Date")


@dataclass(slots=True, kw_only=True)
class Call:
    """One call in the log: when it came, how long the server was at it, what it came to."""

    request: Request
    began: float
    ended: float = 0.0
    inside: float = 0.0
    outcome: str = ""

    @property
    def action(self) -> str:
        """The name of the call."""
        return self.request.action


@dataclass(kw_only=True)
class Proxy:
    """Answers at `url` what the server `behind` does, as the rules have it.

    `line` says which, for each request anew: the first of them sees the request first, and
    the answer last. `account` is the account that all is done in.
    """

    behind: str
    account: str
    line: Callable[[], Sequence[Rule]] = tuple
    calls: list[Call] = field(default_factory=list)
    url: str = ""

    def names(self) -> list[str]:
        """Return the names of the calls, in the order in which they came."""
        return [call.action for call in self.calls]

    def count(self, action: str) -> int:
        """Return how many calls of this name came."""
        return self.names().count(action)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        asked = Request.read(request.headers, await request.read())
        call = Call(request=asked, began=time.monotonic())
        self.calls.append(call)
        try:
            answer = await self._answer(asked, call)
        except Cut:
            call.outcome = "cut"
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # which nobody gets
        finally:
            call.ended = time.monotonic()
        call.outcome = answer.code or str(answer.status)
        return web.Response(
            body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type}
        )

    async def _answer(self, request: Request, call: Call) -> Answer:
        async def last(sent: Request) -> Answer:
            began = time.monotonic()
            try:
                return await self._send(sent)
            finally:
                call.inside += time.monotonic() - began

        server: Ask = last
        try:
            return await reduce(_before, reversed(self.line()), server)(request)
        except Refused as error:
            return error.answer

    async def _send(self, request: Request) -> Answer:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        headers["x-moto-account-id"] = self.account
        payload = request.payload
        async with self._session.post(f"{self.behind}/", data=payload, headers=headers) as answer:
            kind = answer.headers.get("Content-Type", "")
            return Answer(body=await answer.read(), status=answer.status, content_type=kind)

    async def ask(self, action: str, region: str = "us-east-1", **parameters: str) -> Answer:
        """Ask the server itself, past all rules; to be awaited in the proxy's own loop."""
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=TEST/20260101/{region}/ec2/aws4_request",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        request = Request(service="ec2", action=action, region=region, headers=headers)
        return await self._send(request.asking(action, **parameters))

    async def serve(self, ready: Callable[[], None], ended: asyncio.Event) -> None:
        """Serve until this event."""
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as self._session:
            runner = web.ServerRunner(web.Server(self.handle, access_log=None))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port: int = runner.addresses[0][1]
            self.url = f"http://127.0.0.1:{port}"
            ready()
            await ended.wait()
            await runner.cleanup()


def _before(ask: Ask, rule: Rule) -> Ask:
    async def asked(request: Request) -> Answer:
        return await rule(request, ask)

    return asked


class Thread:
    """A loop in a thread of its own, in which a proxy and all that belongs to it run."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in that loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def close(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def serving(proxy: Proxy) -> Iterator[Thread]:
    """Have the proxy answer for as long as the block lasts, in a thread of its own."""
    thread, ready, ended = Thread(), threading.Event(), asyncio.Event()
    served = asyncio.run_coroutine_threadsafe(proxy.serve(ready.set, ended), thread.loop)
    try:
        while not ready.wait(0.05):
            if served.done():
                served.result()
        yield thread
    finally:
        thread.loop.call_soon_threadsafe(ended.set)
        served.result(30)
        thread.close()
