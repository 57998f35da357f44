"""The driver of EC2: what the contract asks for, in terms of the rooms beside this."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Self

from ...driver import Driver, Reason, Stray
from ...errors import ProviderError, ResourcesRemain
from ...fanout import fan_out
from ...group import GroupSpec
from ...node import Node, Status
from . import (
    batches,
    identity,
    launching,
    lifetime,
    network,
    options,
    owner,
    planning,
    power,
    reach,
    reaping,
    tags,
)
from .allowing import checked_network, reopen
from .client import Account
from .ending import Ending
from .ground import Ground
from .image import check_name
from .instances import Instance, chosen, doubles
from .options import Options
from .removal import Removal, remains


class AWS(Driver):
    """Makes nodes of EC2 instances, in one region of the account that AWS's own tools would use.

    `key` names an EC2 key pair that may log in too. `type` is an instance type, or several
    in the order in which to try them where there is no room for one. `image` is `ubuntu`
    (the default), `debian` or `amazon-linux`, an `ami-...`, or the path of an SSM parameter;
    `username` who logs in to it, where that is not known. `size` is that of the disk in GiB.
    `ports` are opened beside 22, to `allow` (networks, by default this machine's address).
    `subnet` and `zone` narrow down where; else it is in any zone of the default VPC. With
    `spot` instances cost less and may be taken away; `fallback` takes others where there
    are none. `tags` are put on everything, and nodes have the role of `iam_profile`. With
    credentials of another account than `account` (its number) nothing is launched, and
    nothing that is not seen is taken to be gone.
    """

    name = "aws"
    plants_host_keys = True

    def __init__(
        self,
        *,
        key: str | None = None,
        type: str | Iterable[str] = options.TYPE,  # what EC2 calls it
        image: str | None = None,
        size: int | None = None,
        ports: Iterable[int] = (options.SSH,),
        region: str | None = None,
        profile: str | None = None,
        subnet: str | None = None,
        zone: str | None = None,
        spot: bool = False,
        fallback: bool = False,
        allow: str | Iterable[str] | None = None,
        username: str | None = None,
        tags: Mapping[str, str] | None = None,
        iam_profile: str | None = None,
        account: str | None = None,
    ) -> None:
        check_name(image)
        self._options = Options(
            key=key,
            types=options.texts(type),
            image=image,
            size=size,
            ports=options.with_ssh(ports),
            region=region,
            profile=profile,
            subnet=subnet,
            zone=zone,
            spot=spot,
            fallback=fallback,
            allow=options.networks(allow),
            username=username,
            tags=dict(tags or {}),
            iam_profile=iam_profile,
            account=account,
        )
        self._blocks = 0
        self._account: Account | None = None
        self._found: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"AWS({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    @property
    def options(self) -> Mapping[str, object]:
        """The keyword arguments that make this driver again.

        They hold the region and the profile that were found, once one of its blocks was
        entered, and the account once it was prepared: whoever comes later has to look in
        the same place.
        """
        return {**self._options.to_json(), **self._found}

    async def __aenter__(self) -> Self:
        self._blocks += 1
        try:
            if self._account is None:
                self._account = Account(self._options)
            account = self._account
            await account.open()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._found["region"] = account.region
        if account.profile is not None:
            self._found["profile"] = account.profile
        return self

    async def __aexit__(self, *_: object) -> None:
        self._blocks -= 1
        if not self._blocks and self._account is not None:
            account, self._account = self._account, None
            await account.close()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Account]:
        async with self:
            assert self._account is not None
            yield self._account

    async def _seen(self, account: Account, spec: GroupSpec) -> tuple[Instance, ...]:
        """Return what is seen of a cluster; if nothing is, make sure of whose account this is."""
        seen = await account.sight(spec.cluster).look()
        if self._options.account and not any(o.generation == spec.generation for o in seen):
            await identity.check(account, spec.cluster, self._options.account)
        return seen

    async def prepare(self, spec: GroupSpec) -> None:
        """Make the cluster's security group, and find out where and from what to launch."""
        async with self._open() as account:
            ground = Ground(account, self._options)
            seen = await self._seen(account, spec)
            generation = owner.to_launch(spec, seen, account.region)
            account.doomed.discard((generation, spec.tag))
            wanted: tuple[Callable[[], Awaitable[object]], ...] = (
                lambda: ground.group(spec.cluster, generation),
                lambda: ground.image(chosen(seen, spec.tag, generation)),
                lambda: identity.number(account),
            )
            await fan_out(_found, wanted)
            if number := await identity.number(account):
                self._found["account"] = number

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Make the group have `count` nodes; it returns as soon as EC2 has said yes."""
        async with self._open() as account:
            sight = account.sight(spec.cluster)
            seen = await sight.look()
            generation = owner.to_launch(spec, seen, account.region)
            account.doomed.discard((generation, spec.tag))
            if twice := doubles(seen, spec.tag, generation):
                await Ending(call=account.ask, sight=sight).end(twice)
            there = chosen(seen, spec.tag, generation)
            stopped = [one for one in there if one.status is Status.STOPPED]
            missing = batches.missing(spec.count, (one.index for one in there))
            if stopped:
                await power.start(account.ask, sight, stopped)
            if missing:
                order = await self._order(account, spec, generation, seen)
                await launching.launch(account.ask, sight, order, missing)
            found = chosen(await sight.look(), spec.tag, generation)
            return tuple(one.node for one in found)

    async def _order(
        self, account: Account, spec: GroupSpec, generation: str, seen: Collection[Instance]
    ) -> launching.Order:
        """Return what to launch with; later nodes are like the first, and near them."""
        ground = Ground(account, self._options)
        zones = [one.zone for one in seen if one.lives and one.generation == generation]
        return await launching.ordered(
            spec,
            generation=generation,
            options=self._options,
            image=await ground.image(chosen(seen, spec.tag, generation)),
            group_id=await ground.group(spec.cluster, generation),
            places=await ground.places(zones),
        )

    async def stop(self, spec: GroupSpec) -> None:
        """Stop the nodes, and wait until they have; they keep disk and identity."""
        async with self._open() as account:
            sight = account.sight(spec.cluster)
            there = chosen(await self._seen(account, spec), spec.tag, spec.generation)
            await power.stop(account.ask, sight, there)

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        """Return what the instances are doing, in our words."""
        return tuple(node.status for node in await self.list(spec))

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Return the instances that carry the tags of this group."""
        async with self._open() as account:
            seen = await self._seen(account, spec)
            return tuple(one.node for one in chosen(seen, spec.tag, spec.generation))

    async def destroy(self, spec: GroupSpec) -> None:
        """Terminate the nodes, wait until they are, and delete what the cluster had for itself."""
        await self._remove(spec, None)

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        """Terminate only these nodes."""
        await self._remove(spec, indices)

    async def _remove(self, spec: GroupSpec, indices: Collection[int] | None) -> None:
        async with self._open() as account:
            seen = await self._seen(account, spec)
            groups = [] if spec.generation else await network.groups(account.ask, spec.cluster)
            ids = [tags.of(group).get(tags.ID, "") for group in groups]
            if generation := owner.to_destroy(spec, seen, ids, account.region):
                await self._removal(account, spec.cluster, generation, spec.tag).run(indices)

    def _removal(self, account: Account, cluster: str, generation: str, tag: str) -> Removal:
        return Removal(account=account, cluster=cluster, generation=generation, tag=tag)

    async def extend(
        self, spec: GroupSpec, nodes: Collection[Node], deadline: datetime | None
    ) -> str:
        """Note the deadline in the instances' tags; return what sets the timer on each."""
        async with self._open() as account:
            await lifetime.note(account.ask, (node.id for node in nodes), deadline)
        return lifetime.arming(deadline)

    async def allow(self, spec: GroupSpec, networks: Collection[str]) -> tuple[str, ...]:
        """Open the cluster's ports to this machine, to those it was made for, and to these."""
        async with self._open() as account:
            account.forget("address")
            allowed = await Ground(account, self._options).allowed()
            wanted = (*allowed, *map(checked_network, networks))
            groups = await network.groups(account.ask, spec.cluster, spec.generation)
            if not groups:
                raise ProviderError(
                    f"cluster '{spec.cluster}' has no security group in {account.region}",
                    fix=f"tinycloud launch {spec.cluster}: it makes one",
                )
            for group in groups:
                await reopen(account.ask, group["GroupId"], self._options.ports, wanted)
            return tuple(dict.fromkeys(wanted))

    async def explain(self, spec: GroupSpec, node: Node) -> tuple[Reason, ...]:
        """Return why a node may not be reached, out of what EC2 knows."""
        async with self._open() as account:
            groups = await network.groups(account.ask, spec.cluster, spec.generation)
            account.forget("address")
            try:
                address: str | None = await Ground(account, self._options).own_address()
            except ProviderError:
                address = None
            return await reach.explain(
                account.ask,
                node,
                cluster=spec.cluster,
                group_id=groups[0]["GroupId"] if groups else None,
                address=address,
            )

    async def preview(self, specs: Collection[GroupSpec]) -> Mapping[str, str]:
        """Return what EC2 says of a launch, and of its price; nothing is made."""
        async with self._open() as account:
            ground = Ground(account, self._options)
            return await planning.preview(
                account,
                specs,
                options=self._options,
                image=await ground.image(),
                subnets=await ground.subnets(),
                networks=await ground.allowed(),
            )

    async def regions(self) -> tuple[str, ...]:
        """Return the regions that are enabled in this account."""
        async with self._open() as account:
            found = (await account.ask("describe_regions"))["Regions"]
            return tuple(sorted(one["RegionName"] for one in found))

    async def strays(self) -> tuple[Stray, ...]:
        """Return all that carries the tags of some cluster, in this region."""
        async with self._open() as account:
            return await reaping.strays(account.ask, account.region)

    async def reap(self, stray: Stray) -> None:
        """Terminate what is left of a cluster, and delete what it had for itself."""
        async with self._open() as account:
            seen = await account.sight(stray.cluster).look()
            groups = {one.tag for one in seen if one.generation == stray.generation}
            left: list[ResourcesRemain] = []
            for tag in sorted(groups) or [""]:
                try:
                    await self._removal(account, stray.cluster, stray.generation, tag).run(None)
                except ResourcesRemain as error:
                    left.append(error)
            kept = await reaping.delete_volumes(account.ask, stray.resources)
            if kept:
                left.append(remains(f"volumes of '{stray.cluster}'", kept, {}, account.region))
            if left:
                raise left[0]


async def _found(find: Callable[[], Awaitable[object]]) -> object:
    return await find()
