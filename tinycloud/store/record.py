"""The record of a cluster: where to look for its machines. The provider knows what exists."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInput
from ..group import checked_name

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """One group: its name, its largest size so far, and how to make its driver again.

    `absent` are the indices without a machine on purpose: a launch that accepted
    fewer nodes gave them up.
    """

    tag: str
    count: int
    driver: str
    options: Mapping[str, object] = field(default_factory=dict)
    absent: tuple[int, ...] = ()

    def to_content(self) -> dict[str, object]:
        """Return what JSON holds of it."""
        return {
            "tag": self.tag,
            "count": self.count,
            "driver": self.driver,
            "options": dict(self.options),
            "absent": list(self.absent),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is kept of a cluster. `created_at` is ISO 8601, in UTC."""

    name: str
    generation: str
    created_at: str
    groups: tuple[GroupRecord, ...]

    def to_json(self) -> bytes:
        """Return the file that holds this record."""
        content = {
            "format": FORMAT,
            "name": self.name,
            "generation": self.generation,
            "created_at": self.created_at,
            "groups": [group.to_content() for group in self.groups],
        }
        return json.dumps(content, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, name: str) -> "Record":
        """Return the record of the cluster `name`, or raise `InvalidInput`."""
        try:
            content = json.loads(data)
            version = content["format"]
            if version == FORMAT:
                return cls._from_content(content, name)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidInput(
                f"the record of cluster '{name}' is damaged",
                cause=f"{type(error).__name__}: {error}",
                fix=f"run the same 'tinycloud launch {name}' again after deleting its record.json",
            ) from error
        raise InvalidInput(
            f"the record of cluster '{name}' has format {version!r:.20}",
            cause=f"this tinycloud knows format {FORMAT}",
            fix="upgrade tinycloud",
        )

    @classmethod
    def _from_content(cls, content: dict[str, Any], name: str) -> "Record":
        groups = tuple(
            GroupRecord(
                tag=checked_name(group["tag"], "tag"),
                count=int(group["count"]),
                driver=str(group["driver"]),
                options=dict(group["options"]),
                absent=tuple(int(index) for index in group["absent"]),
            )
            for group in content["groups"]
        )
        if content["name"] != name:
            raise ValueError(f"it is about {content['name']!r}")
        return cls(
            name=name,
            generation=str(content["generation"]),
            created_at=str(content["created_at"]),
            groups=groups,
        )
