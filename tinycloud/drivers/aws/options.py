"""What the driver is made with: checked when it is made, before anything is asked."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...errors import InvalidInput
from .allowing import checked_network
from .architecture import architecture

SSH = 22
TYPE = "t3.medium"
LARGEST_DISK = 65_536
"""GiB that a volume may have (AWS, EBS volume types)."""

MOST_TAGS = 35
"""Tags of the user's own: EC2 takes 50 on one resource, and some are ours."""

_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_ACCOUNT = re.compile(r"[0-9]{12}")
_TAKEN = ("tinycloud:", "aws:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What every node of this driver has in common. See `AWS` for what each one means."""

    key: str | None = None
    types: tuple[str, ...] = (TYPE,)
    image: str | None = None
    size: int | None = None
    ports: tuple[int, ...] = (SSH,)
    region: str | None = None
    profile: str | None = None
    subnet: str | None = None
    zone: str | None = None
    spot: bool = False
    fallback: bool = False
    allow: tuple[str, ...] = ()
    username: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    iam_profile: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        for one in self.types:
            if not _TYPE.fullmatch(one):
                raise InvalidInput(f"not an instance type: {one[:40]!r}", fix="as in: t3.medium")
        if len({architecture(one) for one in self.types}) != 1:
            raise InvalidInput(
                f"{', '.join(self.types)} do not run the same image",
                cause="some have ARM processors, others do not",
                fix="give types of one kind",
            )
        if self.size is not None and not 1 <= self.size <= LARGEST_DISK:
            raise InvalidInput(f"no disk has {self.size} GiB", fix=f"give 1 to {LARGEST_DISK}")
        for port in self.ports:
            if not 1 <= port <= 65535:
                raise InvalidInput(f"there is no port {port}", fix="give 1 to 65535")
        if self.fallback and not self.spot:
            raise InvalidInput("a fallback has no use without spot", fix="ask for spot too")
        if self.account is not None and not _ACCOUNT.fullmatch(self.account):
            raise InvalidInput(
                f"no account of AWS is {self.account[:40]!r}", fix="give its 12 digits, as text"
            )
        _check_tags(self.tags)

    @property
    def architecture(self) -> str:
        """The processor that an image must be for, as EC2 calls it."""
        return architecture(self.types[0])

    def to_json(self) -> dict[str, object]:
        """Return the keyword arguments of the driver that are not what they are by default."""
        found: dict[str, object] = {}
        for one in fields(self):
            value: Any = getattr(self, one.name)
            if value == (one.default if one.name != "tags" else {}):
                continue
            found["type" if one.name == "types" else one.name] = _plain(value)
        return found


def _plain(value: Any) -> object:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MOST_TAGS:
        raise InvalidInput(f"{len(tags)} tags are too many", fix=f"give {MOST_TAGS} at most")
    for name, value in tags.items():
        if not 1 <= len(name) <= 128 or len(value) > 256 or name.startswith(_TAKEN):
            raise InvalidInput(
                f"there can't be a tag {name[:40]!r}",
                cause=f"names have 1 to 128 characters and don't begin with {' or '.join(_TAKEN)}; "
                "values have 256 at most",
                fix="give it another name or value",
            )


def texts(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return one word, or several, as a tuple without doubles."""
    if value is None:
        return ()
    return tuple(dict.fromkeys((value,) if isinstance(value, str) else value))


def with_ssh(ports: Iterable[int]) -> tuple[int, ...]:
    """Return these ports and that of SSH, without which nothing else here works."""
    return tuple(dict.fromkeys((SSH, *(int(port) for port in ports))))


def networks(allow: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the networks that may connect, as EC2 has them; none means the caller's address."""
    return tuple(checked_network(one) for one in texts(allow))
