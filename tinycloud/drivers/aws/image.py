"""Which image new machines are made from, and who logs in to it."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidInput, ProviderError
from .architecture import ARM
from .asking import Ask, every, filters

DEFAULT = "ubuntu"
PATIENCE = 15.0
"""Seconds for which SSM is asked again: there is another way to find most images."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. `disks` are its volumes: their names, and GiB; the root's name is `root`."""

    id: str
    username: str
    architecture: str
    root: str
    disks: Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Images of one publisher: who that is, what they are called, and where SSM names them."""

    owner: str
    username: str
    parameter: str
    pattern: str
    words: tuple[str, str]

    def named(self, text: str, architecture: str) -> str:
        return text.format(self.words[architecture == ARM])


_FAMILIES = {
    "ubuntu": _Family(
        owner="099720109477",
        username="ubuntu",
        parameter="/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id",
        pattern="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-*",
        words=("amd64", "arm64"),
    ),
    "amazon-linux": _Family(
        owner="amazon",
        username="ec2-user",
        parameter="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}",
        pattern="al2023-ami-2023.*-{}",
        words=("x86_64", "arm64"),
    ),
    "debian": _Family(
        owner="136693071363",
        username="admin",
        parameter="/aws/service/debian/release/12/latest/{}",
        pattern="debian-12-{}-*",
        words=("amd64", "arm64"),
    ),
}
# What an image is called tells whose login it has, as their publishers document it.
_USERNAMES = (
    (re.compile(r"ubuntu", re.IGNORECASE), "ubuntu"),
    (re.compile(r"debian", re.IGNORECASE), "admin"),
    (re.compile(r"al20|amzn|amazon|rhel|suse|sles", re.IGNORECASE), "ec2-user"),
    (re.compile(r"fedora", re.IGNORECASE), "fedora"),
    (re.compile(r"centos", re.IGNORECASE), "centos"),
    (re.compile(r"rocky", re.IGNORECASE), "rocky"),
    (re.compile(r"alma", re.IGNORECASE), "ec2-user"),
)


def names() -> tuple[str, ...]:
    """Return the names of images that need no id."""
    return tuple(sorted(_FAMILIES))


def check_name(name: str | None) -> None:
    """Raise `InvalidInput` for what can name no image."""
    if name is None or name in _FAMILIES or name.startswith(("ami-", "/")):
        return
    raise InvalidInput(
        f"no image is called {name[:80]!r}",
        cause=f"known: {', '.join(names())}",
        fix="take one of those, the id of an image (ami-...), or the path of an SSM parameter",
    )


async def find(
    ask: Ask, ssm: Ask, name: str | None, architecture: str, username: str | None
) -> Image:
    """Return the image that is called so, for this architecture; by default the current Ubuntu."""
    check_name(name)
    name = name or DEFAULT
    if (family := _FAMILIES.get(name)) is not None:
        described = await _of_family(ask, ssm, family, architecture)
        return _image(described, architecture, username or family.username)
    id_ = await _parameter(ssm, name) if name.startswith("/") else name
    described = await _described(ask, id_)
    return _image(described, architecture, username or _username(described, name))


async def _of_family(ask: Ask, ssm: Ask, family: _Family, architecture: str) -> Mapping[str, Any]:
    try:
        return await _described(
            ask, await _parameter(ssm, family.named(family.parameter, architecture))
        )
    except ProviderError as error:  # nobody needs that: the publisher's images can be looked at
        _log.debug("no image from SSM: %s", error)
    found = await every(
        ask,
        "describe_images",
        "Images",
        Owners=[family.owner],  # or anybody's image of such a name could be the newest
        Filters=filters(
            name=family.named(family.pattern, architecture),
            architecture=architecture,
            state="available",
        ),
    )
    return newest(found, family.named(family.pattern, architecture))


def newest(images: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the image that was made last."""
    found = max(images, key=lambda image: str(image.get("CreationDate", "")), default=None)
    if found is None:
        raise ProviderError(f"this region has no image {name}", fix="name another one (-m ami-...)")
    return found


async def _parameter(ssm: Ask, name: str) -> str:
    answer = await ssm("get_parameter", Name=name, patience=PATIENCE)
    value = str(answer["Parameter"]["Value"])
    if not value.startswith("ami-"):
        raise InvalidInput(f"{name} names no image", fix="give a parameter that holds ami-...")
    return value


async def _described(ask: Ask, id_: str) -> Mapping[str, Any]:
    images = (await ask("describe_images", ImageIds=[id_])).get("Images", [])
    if not images:
        raise InvalidInput(
            f"there is no image {id_} in this region",
            cause="images belong to one region each",
            fix="name another one (-m)",
        )
    found: Mapping[str, Any] = images[0]
    return found


def _image(described: Mapping[str, Any], architecture: str, username: str) -> Image:
    found = described.get("Architecture", architecture)
    if found != architecture:
        raise InvalidInput(
            f"image {described['ImageId']} is for {found} processors",
            cause=f"the instance type has one for {architecture}",
            fix="take another type (-t) or image (-m)",
        )
    root = described.get("RootDeviceName") or "/dev/xvda"
    mapped = [one for one in described.get("BlockDeviceMappings", ()) if one.get("Ebs")]
    sizes = {one["DeviceName"]: one["Ebs"].get("VolumeSize") for one in mapped}
    return Image(
        id=described["ImageId"],
        username=username,
        architecture=found,
        root=root,
        disks={root: None, **sizes},
    )


def _username(described: Mapping[str, Any], name: str) -> str:
    """Return who logs in to an image, as its name tells."""
    found = likely_username(described, name)
    if found is None:
        raise InvalidInput(
            f"it is not known who logs in to image {described['ImageId']}",
            cause=f"it is called {str(described.get('Name', ''))[:80]!r}",
            fix="say so, as in: --user ec2-user",
        )
    return found


def likely_username(described: Mapping[str, Any], name: str = "") -> str | None:
    """Return who logs in to images that are called so; None if that is not known."""
    said = f"{described.get('Name', '')} {described.get('ImageLocation', '')} {name}"
    return next((user for pattern, user in _USERNAMES if pattern.search(said)), None)
