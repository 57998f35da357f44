"""What the command line says about machines that are to be made, for drivers that can choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from ..errors import InvalidInput

Type = Annotated[
    list[str] | None,
    typer.Option(
        "-t",
        "--type",
        help="Instance type; several are tried in this order.",
        metavar="TYPE",
    ),
]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Profile of the AWS configuration.", metavar="NAME")
]
Subnet = Annotated[
    str | None, typer.Option("--subnet", help="Subnet to launch into.", metavar="SUBNET")
]
Zone = Annotated[
    str | None, typer.Option("--zone", help="Availability zone to launch in.", metavar="ZONE")
]
Spot = Annotated[bool, typer.Option("--spot", help="Take spot instances, which may be taken away.")]
Fallback = Annotated[
    bool, typer.Option("--fallback", help="With --spot: on demand where there are none.")
]
IamProfile = Annotated[
    str | None,
    typer.Option("--iam-profile", help="IAM instance profile of the nodes.", metavar="NAME"),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", help="Tag on all that is made; may be repeated.", metavar="KEY=VALUE"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What machines are to be like, as it was said; None and empty where nothing was."""

    key: str | None = None
    type: Sequence[str] | None = None
    image: str | None = None
    size: int | None = None
    ports: Sequence[int] | None = None
    region: str | None = None
    profile: str | None = None
    subnet: str | None = None
    zone: str | None = None
    spot: bool = False
    fallback: bool = False
    allow: Sequence[str] | None = None
    iam_profile: str | None = None
    tags: Sequence[str] | None = None

    def options(self) -> dict[str, object]:
        """Return what to make a driver with, where something was said of it."""
        types = tuple(self.type or ())
        given: dict[str, object] = {
            "key": self.key,
            "type": types[0] if len(types) == 1 else types,
            "image": self.image,
            "size": self.size,
            "ports": tuple(self.ports or ()),
            "region": self.region,
            "profile": self.profile,
            "subnet": self.subnet,
            "zone": self.zone,
            "spot": self.spot,
            "fallback": self.fallback,
            "allow": tuple(self.allow or ()),
            "iam_profile": self.iam_profile,
            "tags": dict(map(_pair, self.tags or ())),
        }
        return {option: value for option, value in given.items() if value}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInput(f"not a tag: {text[:80]!r}", fix="give it as KEY=VALUE")
    return name, value
