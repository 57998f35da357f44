"""The driver of EC2: what the contract asks for, in terms of the rooms beside this."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from ...driver import Driver, Reason, Stray
from ...errors import ClusterExists, InvalidInput, ProviderError
from ...fanout import fan_out
from ...group import GroupSpec
from ...node import Node, Status
from . import (
    batches,
    destroying,
    image,
    launching,
    lifetime,
    network,
    options,
    planning,
    power,
    reach,
    reaping,
    tags,
)
from .address import own_address
from .allowing import checked_network, reopen
from .client import Account
from .image import Image
from .instances import Instance, chosen
from .options import Options


class AWS(Driver):
    """Makes nodes of EC2 instances, in one region of the account that AWS's own tools would use.

    `key` names an EC2 key pair that may log in too. `type` is an instance type, or several
    in the order in which to try them where there is no room for one. `image` is `ubuntu`
    (the default), `debian` or `amazon-linux`, an `ami-...`, or the path of an SSM parameter;
    `username` who logs in to it, where that is not known. `size` is that of the disk in GiB.
    `ports` are opened beside 22, to `allow` (networks, by default this machine's address).
    `subnet` and `zone` narrow down where; else it is in any zone of the default VPC. With
    `spot` instances cost less and may be taken away; `fallback` takes others where there
    are none. `tags` are put on everything, and nodes have the role of `iam_profile`.
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
    ) -> None:
        _check_image(image)
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
        entered: whoever comes later has to look in the same place.
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
        self._found = {"region": account.region}
        if account.profile is not None:
            self._found["profile"] = account.profile
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._blocks -= 1
        if not self._blocks and self._account is not None:
            account, self._account = self._account, None
            await account.close()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Account]:
        async with self:
            assert self._account is not None
            yield self._account

    async def prepare(self, spec: GroupSpec) -> None:
        """Make the cluster's security group, and find out where and from what to launch."""
        async with self._open() as account:
            generation = await self._generation(account, spec)
            wanted: tuple[Callable[[], Awaitable[object]], ...] = (
                lambda: self._group(account, spec, generation),
                lambda: self._image(account),
            )
            await fan_out(_found, wanted)

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Make the group have `count` nodes; it returns as soon as EC2 has said yes."""
        async with self._open() as account:
            generation = await self._generation(account, spec)
            sight = account.sight(spec.cluster)
            there = chosen(await sight.look(), spec.tag, generation)
            stopped = [one for one in there if one.status is Status.STOPPED]
            missing = batches.missing(spec.count, (one.index for one in there))
            if stopped:
                await power.start(account.ask, sight, stopped)
            if missing:
                order = await self._order(account, spec, generation, there)
                await launching.launch(account.ask, sight, order, missing)
            seen = chosen(await sight.look(), spec.tag, generation)
            return tuple(one.node for one in seen)

    async def _order(
        self, account: Account, spec: GroupSpec, generation: str, there: Collection[Instance]
    ) -> launching.Order:
        """Return what to launch with; later nodes are of the same image as the first."""
        found = await self._image(account, there)
        group_id = await self._group(account, spec, generation)
        everyone = await account.sight(spec.cluster).look()
        zones = [one.zone for one in everyone if one.lives and one.generation == generation]
        places = batches.places(
            self._options.types,
            await self._subnets(account),
            spot=self._options.spot,
            fallback=self._options.fallback,
            first=zones,
        )
        return await launching.ordered(
            spec,
            generation=generation,
            options=self._options,
            image=found,
            group_id=group_id,
            places=places,
        )

    async def _generation(self, account: Account, spec: GroupSpec) -> str:
        """Return the id of the cluster to launch; raise if another of its name is there."""
        seen = await account.sight(spec.cluster).look()
        others = {one.generation for one in seen if one.lives} - {spec.generation}
        if not spec.generation and len(others) <= 1:
            return next(iter(others), batches.derived_generation(spec.cluster))
        if others:
            raise _exists(spec.cluster, sorted(others), account.region)
        return spec.generation

    async def _image(self, account: Account, there: Collection[Instance] = ()) -> Image:
        wanted, old = self._options.image, next((one for one in there if one.image), None)
        if old is not None and wanted and wanted.startswith("ami-") and wanted != old.image:
            raise InvalidInput(
                f"group '{old.tag}' is made from image {old.image}",
                cause=f"its nodes are all alike, and {wanted} is another one",
                fix="leave the image out, or destroy the cluster first",
            )
        name = old.image if old is not None else wanted
        username = old.username if old is not None else self._options.username
        ssm = await account.service("ssm")
        return await account.once(
            f"image {name}",
            lambda: image.find(
                account.ask, ssm, name, self._options.architecture, username or None
            ),
        )

    async def _subnets(self, account: Account) -> tuple[batches.Subnet, ...]:
        chosen_ = self._options
        return await account.once(
            "subnets",
            lambda: network.subnets(account.ask, subnet=chosen_.subnet, zone=chosen_.zone),
        )

    async def _group(self, account: Account, spec: GroupSpec, generation: str) -> str:
        async def ensure() -> str:
            subnets = await self._subnets(account)
            return await network.ensured_group(
                account.ask,
                subnets[0].vpc,
                cluster=spec.cluster,
                generation=generation,
                ports=self._options.ports,
                networks=await self._networks(account),
                more=self._options.tags,
            )

        return await account.once(_group_of(spec.cluster, generation), ensure)

    async def _networks(self, account: Account) -> tuple[str, ...]:
        """Return who may connect: this machine, and those that were named.

        Where others were named, the launch does not depend on our knowing our own address.
        """
        try:
            return (await self._own_network(account), *self._options.allow)
        except ProviderError:
            if not self._options.allow:
                raise
            return self._options.allow

    async def _own_network(self, account: Account) -> str:
        address = await account.once("address", lambda: own_address(account.endpoint))
        return options.networks(address)[0]

    async def stop(self, spec: GroupSpec) -> None:
        """Stop the nodes, and wait until they have; they keep disk and identity."""
        async with self._open() as account:
            sight = account.sight(spec.cluster)
            there = chosen(await sight.look(), spec.tag, spec.generation)
            await power.stop(account.ask, sight, there)

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        """Return what the instances are doing, in our words."""
        return tuple(node.status for node in await self.list(spec))

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Return the instances that carry the tags of this group."""
        async with self._open() as account:
            seen = await account.sight(spec.cluster).look()
            return tuple(one.node for one in chosen(seen, spec.tag, spec.generation))

    async def destroy(self, spec: GroupSpec) -> None:
        """Terminate the nodes, wait until they are, and delete what the cluster had for itself."""
        await self._remove(spec, None)

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        """Terminate only these nodes."""
        await self._remove(spec, indices)

    async def _remove(self, spec: GroupSpec, indices: Collection[int] | None) -> None:
        async with self._open() as account:
            sight = account.sight(spec.cluster)
            generation = await self._sole(account, spec)
            if not generation:
                return
            ours = [one for one in await sight.look() if one.generation == generation]
            doomed = [
                one
                for one in ours
                if one.tag == spec.tag
                and one.state != "terminated"
                and (indices is None or one.index in indices)
            ]
            ending = destroying.Ending(call=account.ask, sight=sight)
            await ending.end(doomed)
            kept = dict(ending.kept)
            if not any(one.generation == generation and one.lives for one in await sight.look()):
                kept |= await self._remove_groups(account, spec.cluster, generation)
            if kept:
                raise destroying.remains(
                    f"not all of group '{spec.tag}' could be destroyed",
                    kept,
                    {one.id: one.node.name for one in doomed},
                    _commands(kept, account.region),
                )

    async def _remove_groups(
        self, account: Account, cluster: str, generation: str
    ) -> dict[str, ProviderError]:
        account.forget(_group_of(cluster, generation))
        kept: dict[str, ProviderError] = {}
        for group in await network.groups(account.ask, cluster, generation):
            try:
                await destroying.remove_group(account.ask, group["GroupId"])
            except ProviderError as error:
                kept[group["GroupId"]] = error
        return kept

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
            wanted = (*await self._networks(account), *map(checked_network, networks))
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
            return await reach.explain(
                account.ask,
                node,
                cluster=spec.cluster,
                group_id=groups[0]["GroupId"] if groups else None,
                address=await self._address(account),
            )

    async def _address(self, account: Account) -> str | None:
        try:
            return (await self._own_network(account)).partition("/")[0]
        except ProviderError:
            return None

    async def preview(self, specs: Collection[GroupSpec]) -> Mapping[str, str]:
        """Return what EC2 says of a launch, and of its price; nothing is made."""
        async with self._open() as account:
            return await planning.preview(
                account,
                specs,
                options=self._options,
                image=await self._image(account),
                subnets=await self._subnets(account),
                networks=await self._networks(account),
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
            tags_left = {one.tag for one in seen if one.generation == stray.generation}
            for tag in sorted(tags_left):
                await self._remove(
                    GroupSpec(cluster=stray.cluster, tag=tag, count=0, generation=stray.generation),
                    None,
                )
            kept = await self._remove_groups(account, stray.cluster, stray.generation)
            kept |= await reaping.delete_volumes(account.ask, stray.resources)
            if kept:
                raise destroying.remains(
                    f"something of cluster '{stray.cluster}' remains",
                    kept,
                    {},
                    _commands(kept, account.region),
                )

    async def _sole(self, account: Account, spec: GroupSpec) -> str:
        """Return the id of the cluster to destroy, or nothing if there is nothing."""
        if spec.generation:
            return spec.generation
        seen = await account.sight(spec.cluster).look()
        groups = await network.groups(account.ask, spec.cluster)
        found = {one.generation for one in seen if one.lives}
        found |= {tags.of(group).get(tags.ID, "") for group in groups} - {""}
        if len(found) > 1:
            raise InvalidInput(
                f"there are {len(found)} clusters called '{spec.cluster}' in {account.region}",
                cause=f"their ids are {', '.join(sorted(found))}",
                fix="destroy each from where it was launched, or see: tinycloud reap",
            )
        return next(iter(found), "")


async def _found(find: Callable[[], Awaitable[object]]) -> object:
    return await find()


def _check_image(name: str | None) -> None:
    image.check_name(name)


def _group_of(cluster: str, generation: str) -> str:
    return f"group {cluster} {generation}"


def _exists(cluster: str, ids: Collection[str], region: str) -> ClusterExists:
    return ClusterExists(
        f"another cluster '{cluster}' is in {region}",
        cause=f"its id is {', '.join(ids)}",
        fix=f"take another name, or: tinycloud destroy {cluster} --driver aws --region {region}",
    )


def _commands(ids: Iterable[str], region: str) -> Iterable[str]:
    every = sorted(ids)
    if instances := [one for one in every if one.startswith("i-")]:
        yield f"aws ec2 terminate-instances --region {region} --instance-ids {' '.join(instances)}"
    for group in (one for one in every if one.startswith("sg-")):
        yield f"aws ec2 delete-security-group --region {region} --group-id {group}"
