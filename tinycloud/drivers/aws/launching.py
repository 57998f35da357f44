"""Launch instances: once each, wherever there is room."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import ProviderError
from ...fanout import fan_out
from ...group import GroupSpec
from ...store.keys import new_key
from . import batches, tags
from .asking import every, filters
from .batches import Place
from .call import NEW_GROUP, NEW_ROLE, SETTLING, Caller
from .image import Image
from .lifetime import expiry
from .options import Options
from .refusal import Kind, Refusal
from .sight import Sight
from .userdata import user_data

LOOK_AGAIN = 1.0
"""Seconds between two looks for instances of a launch that somebody else has made."""

_ELSEWHERE = (Kind.ELSEWHERE, Kind.SPOT)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What instances of one group are launched with, wherever that is."""

    generation: str
    tag: str
    options: Options
    image: Image
    group_id: str
    user_data: str = field(repr=False)
    tags: Mapping[str, str]
    places: tuple[Place, ...]

    def words(self, place: Place, indices: Collection[int]) -> dict[str, Any]:
        """Return the parameters of the call that launches these there."""
        options = self.options
        words: dict[str, Any] = {
            "MinCount": 1,  # what there is no room for goes elsewhere
            "MaxCount": len(indices),
            "ImageId": self.image.id,
            "InstanceType": place.type,
            "SubnetId": place.subnet.id,
            "SecurityGroupIds": [self.group_id],
            "UserData": self.user_data,
            "BlockDeviceMappings": self._disks(),
            "MetadataOptions": {
                "HttpEndpoint": "enabled",
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
            },
            "InstanceInitiatedShutdownBehavior": "terminate",  # the end of a time to live
            "TagSpecifications": self._tags(place, indices),
        }
        if options.key is not None:
            words["KeyName"] = options.key
        if options.iam_profile is not None:
            kind = "Arn" if options.iam_profile.startswith("arn:") else "Name"
            words["IamInstanceProfile"] = {kind: options.iam_profile}
        if place.spot:
            words["InstanceMarketOptions"] = {
                "MarketType": "spot",
                "SpotOptions": {"SpotInstanceType": "one-time"},
            }
        return words

    def _disks(self) -> list[dict[str, Any]]:
        """Return the image's own disks, encrypted, and the first of the size that was asked for."""
        return [
            {
                "DeviceName": disk,
                "Ebs": {
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                    "VolumeType": "gp3",
                    **({"VolumeSize": size} if size else {}),
                },
            }
            for disk, size in {**self.image.disks, **self._asked_size()}.items()
        ]

    def _asked_size(self) -> dict[str, int]:
        return {self.image.root: self.options.size} if self.options.size else {}

    def _tags(self, place: Place, indices: Collection[int]) -> list[dict[str, Any]]:
        words = {**self.tags, tags.INDICES: tags.packed(indices)}
        spot = ["spot-instances-request"] if place.spot else []
        return tags.specifications(words, ["instance", "volume", "network-interface", *spot])


async def ordered(
    spec: GroupSpec,
    *,
    generation: str,
    options: Options,
    image: Image,
    group_id: str,
    places: tuple[Place, ...],
) -> Order:
    """Return the order for instances of a group, whose time to live begins now."""
    end = deadline(spec.ttl)
    host_key = await asyncio.to_thread(new_key, "")
    keys = spec.authorized_keys
    words = {
        **options.tags,
        **tags.owner(spec.cluster, generation),
        "Name": f"{spec.cluster}-{spec.tag}",
        tags.TAG: spec.tag,
        tags.IMAGE: image.id,
        tags.USERNAME: image.username,
        tags.BOOT_KEY: host_key.public,
        tags.HOST_CA: " ".join(keys[0].split()[:2]) if keys else "",
        tags.EXPIRES_AT: expiry(end),
    }
    return Order(
        generation=generation,
        tag=spec.tag,
        options=options,
        image=image,
        group_id=group_id,
        user_data=user_data(host_key, keys, end),
        tags=words,
        places=places,
    )


def deadline(ttl: float | None) -> datetime | None:
    """Return when a life of so many seconds ends that begins now."""
    if ttl is None:
        return None
    return (datetime.now(UTC) + timedelta(seconds=ttl)).replace(microsecond=0)


async def launch(call: Caller, sight: Sight, order: Order, indices: Collection[int]) -> None:
    """Launch the nodes with these indices, in as few calls as EC2 takes."""
    ended = frozenset(one.token for one in await sight.look() if not one.lives)

    async def one(batch: tuple[int, ...]) -> Exception | None:
        try:
            await _Batch(call, sight, order, ended).launch(batch)
        except ProviderError as error:  # what the others launch is still wanted, or taken back
            return error
        return None

    for error in await fan_out(one, batches.split(indices)):
        if error is not None:
            raise error


class _Batch:
    """The launch of some nodes of a group, which goes from place to place."""

    def __init__(self, call: Caller, sight: Sight, order: Order, ended: Collection[str]) -> None:
        self._call = call
        self._sight = sight
        self._order = order
        self._ended = ended

    async def launch(self, indices: tuple[int, ...]) -> None:
        refusals: list[Refusal] = []
        for place in self._order.places:
            try:
                granted = await self._in(place, indices)
            except Refusal as error:
                if error.kind not in _ELSEWHERE:
                    raise
                _log.warning("no %s (%s)", place, error.code)
                refusals.append(error)
                continue
            indices = tuple(index for index in indices if index not in granted)
            if not indices:
                return
            _log.warning("only %d %s, %d left to find", len(granted), place, len(indices))
        raise self._nowhere(refusals, indices)

    def _nowhere(self, refusals: list[Refusal], indices: tuple[int, ...]) -> ProviderError:
        tried = ", ".join(str(place) for place in self._order.places)
        last = refusals[-1] if refusals else None
        return ProviderError(
            f"there is no room for {len(indices)} nodes of group '{self._order.tag}'",
            cause=f"tried {tried}" + (f"; {last}" if last else ""),
            fix=last.fix if last else "ask for fewer nodes, or further types",
        )

    async def _in(self, place: Place, indices: tuple[int, ...]) -> frozenset[int]:
        """Launch what there is room for; return the indices that have an instance now."""
        words = self._order.words(place, indices)
        for attempt in range(batches.ATTEMPTS):
            token = batches.token(self._order.generation, self._order.tag, indices, place, attempt)
            if token in self._ended:
                continue
            try:
                answer = await self._call(
                    "run_instances",
                    settling=(*NEW_GROUP, *NEW_ROLE),
                    keep=lambda answer: self._sight.launched(answer["Instances"]),
                    **words,
                    ClientToken=token,
                )
                described = answer["Instances"]
            except Refusal as error:
                if error.kind is Kind.GENERATION:
                    continue
                if error.code != "IdempotentParameterMismatch":
                    raise
                described = await self._by(token)
            made = self._sight.launched(described)
            if found := frozenset(one.index for one in made if one.lives):
                return found
        raise ProviderError(
            f"group '{self._order.tag}' was launched {batches.ATTEMPTS} times, and has ended",
            fix="destroy the cluster, and launch it again",
        )

    async def _by(self, token: str) -> list[Mapping[str, Any]]:
        """Return the instances of a launch with this token, that somebody began who has died."""
        end = time.monotonic() + SETTLING
        while True:
            found = await every(
                self._call,
                "describe_instances",
                "Reservations",
                Filters=filters(client_token=token),
            )
            instances = [one for reservation in found for one in reservation["Instances"]]
            if instances or time.monotonic() > end:
                return instances
            await asyncio.sleep(LOOK_AGAIN)
