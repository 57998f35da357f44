"""The record of a cluster: where to look for its machines. The provider knows what exists."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidInput
from ..group import check_group, checked_name
from .folder import unusable

FORMAT = 1
LARGEST = 1_000_000
"""No group has more nodes; a damaged record must not make us count for ever."""

_NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """One group: its name, its largest size so far, and how to make its driver again.

    `absent` are the indices without a machine on purpose: a launch that accepted
    fewer nodes gave them up. `via` is the bastion over which they are reached,
    `ttl` for how many seconds nodes live that are made or started, and `setup` the
    script that is run once on each.
    """

    tag: str
    count: int
    driver: str
    options: Mapping[str, object] = field(default_factory=dict)
    absent: tuple[int, ...] = ()
    via: str | None = None
    ttl: float | None = None
    setup: str | None = field(default=None, repr=False)

    def to_content(self) -> dict[str, object]:
        """Return what JSON holds of it."""
        return {
            "tag": self.tag,
            "count": self.count,
            "driver": self.driver,
            "options": dict(self.options),
            "absent": list(self.absent),
            "via": self.via,
            "ttl": self.ttl,
            "setup": self.setup,
        }

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> "GroupRecord":
        """Return the group that JSON holds this of; raise `ValueError` if none can be like it."""
        count = int(content["count"])
        if not 0 <= count <= LARGEST:
            raise ValueError(f"a group of {count} nodes")
        return cls(
            tag=checked_name(content["tag"], "tag"),
            count=count,
            driver=str(content["driver"]),
            options=dict(content["options"]),
            absent=tuple(int(index) for index in content["absent"]),
            via=_text(content.get("via")),
            ttl=_ttl(content.get("ttl")),
            setup=_text(content.get("setup")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is kept of a cluster. `created_at` is ISO 8601, in UTC.

    `keyfile` is the path of the user's key that logs in to machines that were not made
    for the cluster, and to bastions; None for the usual one. `authorize` are the public
    keys that nodes accept beside the cluster's own.
    """

    name: str
    generation: str
    created_at: str
    groups: tuple[GroupRecord, ...]
    keyfile: str | None = None
    authorize: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return the file that holds this record."""
        content = {
            "format": FORMAT,
            "name": self.name,
            "generation": self.generation,
            "created_at": self.created_at,
            "groups": [group.to_content() for group in self.groups],
            "keyfile": self.keyfile,
            "authorize": list(self.authorize),
        }
        return json.dumps(content, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, name: str, path: Path) -> "Record":
        """Return the record of the cluster `name`, as its file at `path` holds it.

        Raises `InvalidInput` if it is damaged, or of a newer tinycloud.
        """
        try:
            content = json.loads(data)
            version = int(content["format"])
            if version <= FORMAT:
                return cls._from_content(content, data, name)
        except _NOT_OURS as error:
            raise damaged(path, name, f"{type(error).__name__}: {error}") from error
        except InvalidInput as error:  # a name that nothing can have
            raise damaged(path, name, str(error)) from error
        raise InvalidInput(
            f"the record of cluster '{name}' has format {version}",
            cause=f"this tinycloud knows format {FORMAT}",
            fix="upgrade tinycloud",
        )

    @classmethod
    def _from_content(cls, content: dict[str, Any], data: bytes, name: str) -> "Record":
        if content["format"] != FORMAT or not data.endswith(b"\n"):
            raise ValueError("it is not what tinycloud wrote")
        if content["name"] != name:
            raise ValueError(f"it is about {content['name']!r}")
        return cls(
            name=name,
            generation=str(content["generation"]),
            created_at=str(content["created_at"]),
            groups=tuple(GroupRecord.from_content(group) for group in content["groups"]),
            keyfile=_text(content.get("keyfile")),
            authorize=tuple(str(line) for line in content.get("authorize", ())),
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _ttl(value: Any) -> float | None:
    """Return a time to live; raise `InvalidInput` if nothing can live so long."""
    ttl = None if value is None else float(value)
    check_group("any", 0, ttl)
    return ttl


def damaged(path: Path, name: str, cause: str) -> InvalidInput:
    """Return the error for a record that can't be read."""
    return unusable(path, f"the record of cluster '{name}' is damaged: {cause}", remedy(path, name))


def remedy(path: Path, name: str) -> str:
    """Return what helps where a record is damaged: the machines are found without it."""
    again = f"run the same 'tinycloud launch {name}' again"
    return f"rm {shlex.quote(str(path))}, then {again}: it finds the nodes that exist"
