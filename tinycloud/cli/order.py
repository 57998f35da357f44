"""What a launch is asked for on the command line, and the cluster that makes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..cloud import Cloud
from ..driver import Driver, Group
from ..drivers import make
from ..errors import InvalidInput
from ..store import ClusterFolder, Record
from ..store.openssh import check_public_key
from ..store.record import LARGEST
from . import hosts, lifetime
from .clusters import DEFAULT_DRIVER, MASTER, WORKER, drivers_of
from .say import note

EXAMPLE = "example"
"""What a cluster is called in a plan without a name."""

# Options that only one driver has a use for, so that it need not be named.
_TELLING = {
    "key": ("aws", "since -k names an EC2 key pair"),
    hosts.ADDRESSES: ("hosts", "since --host names machines that exist"),
}

FILE_LIMIT = 1 << 20
"""Bytes that a file given to a launch may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A launch as it was asked for; without a name it is of no cluster, and for show."""

    name: str | None
    workers: int | None = None
    driver: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    authorize: tuple[str, ...] = ()
    setup: str | None = None
    via: str | None = None
    keyfile: Path | None = None
    ttl: str | None = None


def ordered(order: Order) -> Cloud:
    """Return the cluster that was asked for, and say which driver it is of and why."""
    record = _record(order.name)
    sizes = {g.tag: g.count for g in record.groups} if record else {MASTER: 1, WORKER: 1}
    if order.workers is not None:
        sizes[WORKER] = _checked(order.workers)
    drivers = _drivers(order, record, sizes)
    if order.workers is None and hosts.ADDRESSES in order.options and WORKER in sizes:
        others = sum(size for tag, size in sizes.items() if tag != WORKER)
        sizes[WORKER] = hosts.left_over(drivers[WORKER], others)
    ways = {g.tag: g.via for g in record.groups} if record else {}
    setups = {g.tag: g.setup for g in record.groups} if record else {}
    ttl = _ttl(order, record, next(iter(drivers.values())))
    groups = [
        Group(
            tag,
            size,
            drivers[tag],
            setup=setups.get(tag) if order.setup is None else order.setup,
            ttl=ttl,
            via=order.via or ways.get(tag),
        )
        for tag, size in sizes.items()
    ]
    authorize = order.authorize or (record.authorize if record else ())
    name = order.name or EXAMPLE
    cloud = Cloud(groups, name=name, authorize=authorize, keyfile=order.keyfile)
    hosts.check_use(cloud, order.authorize, order.keyfile)
    return cloud


def _record(name: str | None) -> Record | None:
    if name is None:
        return None
    folder = ClusterFolder(name)
    folder.check_keys()
    return folder.record()


def _ttl(order: Order, record: Record | None, driver: Driver) -> float | None:
    """Return how long new nodes live: as asked for, as before, or as is good for the driver."""
    if order.ttl is not None and not driver.makes_machines:
        raise InvalidInput(
            "hosts that exist already don't end by themselves", fix="leave out --ttl"
        )
    if order.ttl is None and record and record.groups:
        return record.groups[0].ttl
    return lifetime.chosen(order.ttl, driver.name)


def _checked(workers: int) -> int:
    if not 0 <= workers <= LARGEST:
        raise InvalidInput(f"can't launch {workers} workers", fix=f"-n takes 0 to {LARGEST}")
    return workers


def _drivers(order: Order, record: Record | None, tags: Iterable[str]) -> dict[str, Driver]:
    """Return the driver of each group: those of old, unless something else was asked for."""
    if record and record.groups and order.driver is None and not order.options:
        found = drivers_of(record)
        first = record.groups[0]
        note(f"driver: {first.driver} (as it was launched before)")
        return {tag: found.get(tag, found[first.tag]) for tag in tags}
    name, options, reason = choose_driver(record, order.driver, order.options)
    note(f"driver: {name} ({reason})")
    hosts.check(name, options)
    return dict.fromkeys(tags, make(name, options))


def choose_driver(
    record: Record | None, driver: str | None, options: Mapping[str, object]
) -> tuple[str, dict[str, object], str]:
    """Return the name and the options of the driver to launch with, and why it is that one."""
    name = driver
    if name is None:
        name = next((d for option, (d, _) in _TELLING.items() if option in options), None)
    recorded = record.groups[0] if record and record.groups else None
    if recorded is not None and name in (None, recorded.driver):
        return recorded.driver, {**recorded.options, **options}, "as it was launched before"
    if name is None:
        return DEFAULT_DRIVER, dict(options), "the default: neither --driver nor -k was given"
    reason = next((why for option, (d, why) in _TELLING.items() if option in options), "")
    return name, dict(options), reason if driver is None else "as --driver says"


def public_keys(files: Iterable[Path]) -> tuple[str, ...]:
    """Return the public key lines in these files, or raise `InvalidInput`."""
    return tuple(line for file in files for line in _key_lines(file))


def _key_lines(file: Path) -> list[str]:
    text = _text(file, "give the path of a public key (.pub)")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        for line in lines:
            check_public_key(line)
        if not lines:
            raise ValueError("it is empty")
    except ValueError as problem:
        raise InvalidInput(
            f"{file} is not a public key",
            cause="it is a private key" if "PRIVATE KEY" in text else str(problem),
            fix="give the file that ends in .pub",
        ) from problem
    return lines


def setup_script(file: Path | None) -> str | None:
    """Return the setup script in this file."""
    return None if file is None else _text(file, "give the path of a shell script")


def _text(file: Path, fix: str) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise ValueError(f"more than {FILE_LIMIT} bytes")
        return data.decode()
    except OSError as problem:
        cause = problem.strerror or str(problem)
        raise InvalidInput(f"can't read {file}", cause=cause, fix=fix) from problem
    except ValueError as problem:
        raise InvalidInput(f"can't use {file}", cause=str(problem), fix=fix) from problem
