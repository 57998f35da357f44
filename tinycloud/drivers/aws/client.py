"""The clients of one account in one region: opened once, and kept for as long as a block lasts."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import cache
from typing import Any, TypeVar

from ...errors import InvalidInput, TinycloudError
from .asking import Ask
from .call import Caller, no_credentials
from .limiter import Limiter
from .options import Options
from .sight import Sight

R = TypeVar("R")

CONNECT_TIMEOUT, READ_TIMEOUT = 10, 60
"""Seconds for one attempt of one call."""

CONNECTIONS = 50


class Account:
    """An account in a region: what asks it, and what has been seen there.

    Credentials, region and endpoint are found as every AWS tool finds them.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._session: Any = None
        self._callers: dict[tuple[str, str], Caller] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._known: dict[str, Any] = {}
        self._sights: dict[str, Sight] = {}
        self._limiter = Limiter()
        self.doomed: set[tuple[str, str]] = set()  # groups that are to go: cluster's id, and tag
        self.region, self.profile, self.endpoint = "", options.profile, ""

    async def open(self) -> None:
        """Open the client of EC2, unless it is open."""
        async with self.lock("open"):
            if self._session is None:
                session = await asyncio.to_thread(_session, self._options)
                self.region = _region(session, self._options)
                self.profile = self._options.profile or _chosen_profile()
                await self._check_credentials(session)
                self._session = session
        await self.service("ec2")

    async def close(self) -> None:
        """Close all clients."""
        await self._stack.aclose()

    async def _check_credentials(self, session: Any) -> None:
        from botocore.exceptions import BotoCoreError

        try:
            found = await session.get_credentials()
        except BotoCoreError as error:
            raise no_credentials(str(error)) from error
        if found is None:
            raise no_credentials("looked into the environment, ~/.aws, and the machine's own role")

    async def service(self, name: str, region: str | None = None) -> Ask:
        """Return what asks a service of AWS, in this region or in another."""
        where = region or self.region
        async with self.lock(f"client {name} {where}"):
            if (name, where) not in self._callers:
                client = await self._stack.enter_async_context(await self._client(name, where))
                self._callers[name, where] = Caller(client, name, self._limiter)
                if name == "ec2" and where == self.region:
                    self.endpoint = client.meta.endpoint_url
        return self._callers[name, where]

    async def _client(self, name: str, region: str) -> Any:
        from aiobotocore.config import AioConfig
        from botocore.exceptions import BotoCoreError

        loader = self._session.get_component("data_loader")
        await asyncio.to_thread(loader.load_service_model, name, "service-2", None)
        config = AioConfig(
            retries={"total_max_attempts": 1},  # all repeating is ours: see `call`
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
        )
        try:
            return self._session.create_client(name, region_name=region, config=config)
        except BotoCoreError as error:
            raise _unusable(str(error)) from error

    @property
    def ask(self) -> Caller:
        """What asks EC2 in this region."""
        return self._callers["ec2", self.region]

    def lock(self, name: str) -> asyncio.Lock:
        """Return the lock of this name: one for all who share these clients."""
        return self._locks.setdefault(name, asyncio.Lock())

    async def once(self, name: str, find: Callable[[], Awaitable[R]]) -> R:
        """Return what `find` finds, and found for the first who asked under this name."""
        async with self.lock(f"once {name}"):
            if name not in self._known:
                self._known[name] = await find()
            found: R = self._known[name]
            return found

    def know(self, name: str, found: object) -> None:
        """Have this be what `once` finds."""
        self._known[name] = found

    def forget(self, name: str) -> None:
        """Have `once` find this anew."""
        self._known.pop(name, None)

    def sight(self, cluster: str) -> Sight:
        """Return what is seen of a cluster, for all who look."""
        return self._sights.setdefault(cluster, Sight(self.ask, cluster))


def _session(options: Options) -> Any:
    """Return a session; it blocks, for the libraries are large."""
    from aiobotocore.session import get_session
    from botocore.exceptions import BotoCoreError

    from .parsing import ParserFactory

    # It logs what is sent, which may be user data, and what comes back.
    logging.getLogger("botocore").setLevel(logging.INFO)
    logging.getLogger("aiobotocore").setLevel(logging.INFO)
    session = get_session()
    session.register_component("response_parser_factory", ParserFactory())
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    if options.profile is not None:
        session.set_config_variable("profile", options.profile)
    try:
        session.get_scoped_config()
    except BotoCoreError as error:
        raise _unusable(str(error)) from error
    return session


@cache
def _loader(path: str | None) -> Any:
    """Return what loads the descriptions of services: for a process once, for they are large."""
    from botocore.loaders import create_loader

    loader = create_loader(path)
    loader.load_data("endpoints")
    return loader


def _region(session: Any, options: Options) -> str:
    # The library itself knows AWS_DEFAULT_REGION only, unlike the tools of AWS.
    named = options.region or os.environ.get("AWS_REGION")
    found: str | None = named or session.get_config_variable("region")
    if not found:
        raise InvalidInput(
            "it is not said in which region of AWS",
            cause="neither --region nor AWS_REGION nor ~/.aws/config names one",
            fix="name it, as in: --region eu-central-1",
        )
    return found


def _chosen_profile() -> str | None:
    """Return the profile that the environment names, unless it holds keys, which go before."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return None
    return os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or None


def _unusable(cause: str) -> TinycloudError:
    return InvalidInput(
        "the configuration of AWS can't be used", cause=cause, fix="see: aws configure list"
    )
