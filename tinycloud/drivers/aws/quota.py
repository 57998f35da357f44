"""How many virtual CPUs an account may run, and whether a launch fits into that."""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import TinycloudError
from .asking import Ask, every, filters

_log = logging.getLogger(__name__)

# By the first letters of a type, as in the console of Service Quotas: on demand, and spot.
_STANDARD = ("L-1216C47A", "L-34B43A08")
_CODES = {
    "dl": ("L-6E869C2A", "L-85EED4F7"),
    "f": ("L-74FC7D96", "L-88CF9481"),
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "hpc": ("L-F7808C92", ""),
    "inf": ("L-1945791B", "L-B5D1601B"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "trn": ("L-2C3B7624", "L-6B0D517C"),
    "u": ("L-43DA4232", ""),
    "vt": ("L-DB2E81BA", "L-3819A6DF"),
    "x": ("L-7295265B", "L-E3A00192"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a launch asks for, and what there is: `used` are CPUs of instances that run."""

    code: str
    limit: float
    used: int
    wanted: int

    @property
    def fits(self) -> bool:
        """Whether the launch fits."""
        return self.used + self.wanted <= self.limit

    def __str__(self) -> str:
        verdict = "it fits" if self.fits else "it does NOT fit"
        return (
            f"{verdict}: {self.wanted} vCPUs wanted, {self.used} in use, "
            f"{self.limit:g} allowed (quota {self.code})"
        )


def code(type_: str, *, spot: bool) -> str:
    """Return the code of the quota that counts for an instance type."""
    letters = re.match("[a-z]*", type_)
    family = letters[0] if letters else ""
    kinds = sorted(_CODES, key=len, reverse=True)
    kind = next((one for one in kinds if family.startswith(one)), "")
    return _CODES.get(kind, _STANDARD)[spot]


async def quota(
    ask: Ask, ask_quotas: Ask, type_: str, count: int, *, spot: bool = False
) -> Quota | None:
    """Return whether so many instances fit into the quota; None if nobody tells."""
    which = code(type_, spot=spot)
    try:
        answer = await ask_quotas("get_service_quota", ServiceCode="ec2", QuotaCode=which)
        running = await _running(ask, which, spot=spot)
        each = await cpus(ask, {type_, *running})
        return Quota(
            code=which,
            limit=float(answer["Quota"]["Value"]),
            used=sum(each[one] * amount for one, amount in running.items()),
            wanted=count * each[type_],
        )
    except (TinycloudError, ValueError, KeyError, TypeError):
        _log.debug("no quota", exc_info=True)
        return None


async def cpus(ask: Ask, types: Iterable[str]) -> dict[str, int]:
    """Return how many virtual CPUs these types have."""
    wanted = sorted(set(types))
    answer = await every(ask, "describe_instance_types", "InstanceTypes", InstanceTypes=wanted)
    return {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in answer}


async def _running(ask: Ask, which: str, *, spot: bool) -> Counter[str]:
    """Return how many instances run that count for this quota, by type."""
    running = filters(instance_state_name=["pending", "running"])
    found = await every(ask, "describe_instances", "Reservations", Filters=running, MaxResults=100)
    return Counter(
        one["InstanceType"]
        for some in found
        for one in some["Instances"]
        if (one.get("InstanceLifecycle") == "spot") is spot
        and code(one["InstanceType"], spot=spot) == which
    )
