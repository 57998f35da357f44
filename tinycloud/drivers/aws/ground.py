"""What a cluster is launched from and into: looked up once for all who share an account."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ...errors import InvalidInput, ProviderError
from . import address, batches, image, network
from .batches import Place, Subnet
from .client import Account
from .image import Image
from .instances import Instance
from .options import Options, networks


@dataclass(frozen=True, slots=True)
class Ground:
    """Finds, and makes where need be, what there must be before the first instance."""

    account: Account
    options: Options

    async def subnets(self) -> tuple[Subnet, ...]:
        """Return where instances may be."""
        options = self.options
        return await self.account.once(
            "subnets",
            lambda: network.subnets(self.account.ask, subnet=options.subnet, zone=options.zone),
        )

    async def places(self, zones: Iterable[str] = ()) -> tuple[Place, ...]:
        """Return where to try to launch, in order; these zones come first."""
        return batches.places(
            self.options.types,
            await self.subnets(),
            spot=self.options.spot,
            fallback=self.options.fallback,
            first=zones,
        )

    async def image(self, there: Collection[Instance] = ()) -> Image:
        """Return the image for new instances beside those that are there: it is the same."""
        wanted, old = self.options.image, next((one for one in there if one.image), None)
        if old is not None and wanted and wanted.startswith("ami-") and wanted != old.image:
            raise InvalidInput(
                f"group '{old.tag}' is made from image {old.image}",
                cause=f"its nodes are all alike, and {wanted} is another one",
                fix="leave the image out, or destroy the cluster first",
            )
        name = old.image if old is not None else wanted
        username = (old.username if old is not None else self.options.username) or None
        # Only names have to be looked up there.
        by_id = name is not None and name.startswith("ami-")
        ssm = self.account.ask if by_id else await self.account.service("ssm")
        return await self.account.once(
            f"image {name} {username}",
            lambda: image.find(self.account.ask, ssm, name, self.options.architecture, username),
        )

    async def group(self, cluster: str, generation: str) -> str:
        """Return the id of the cluster's security group, with its rules in place."""

        async def ensure() -> str:
            subnets = await self.subnets()
            return await network.ensured_group(
                self.account.ask,
                subnets[0].vpc,
                cluster=cluster,
                generation=generation,
                ports=self.options.ports,
                networks=await self.allowed(),
                more=self.options.tags,
            )

        return await self.account.once(group_of(cluster, generation), ensure)

    async def allowed(self) -> tuple[str, ...]:
        """Return who may connect: this machine, and those that were named.

        Where others were named, nothing depends on our knowing our own address.
        """
        named = self.options.allow
        try:
            return (*networks(await self.own_address()), *named)
        except ProviderError:
            if not named:
                raise
            return named

    async def own_address(self) -> str:
        """Return the address of this machine, as AWS sees it."""
        account = self.account
        return await account.once("address", lambda: address.own_address(account.endpoint))


def group_of(cluster: str, generation: str) -> str:
    """Return under which name an account remembers the cluster's security group."""
    return f"group {cluster} {generation}"
