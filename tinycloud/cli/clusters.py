"""Clusters that are known here, made into a Cloud again."""

from collections.abc import Mapping, Sequence

from ..cloud import Cloud
from ..driver import Driver, Group
from ..drivers import make
from ..errors import InvalidInput
from ..store import ClusterFolder, GroupRecord, Record

DEFAULT_DRIVER = "local"
MASTER, WORKER = "master", "worker"


def known(name: str) -> Cloud:
    """Return the cluster as it is recorded.

    Without a record its machines may still be there: then it is taken for what
    `launch` makes by default, and its driver knows.
    """
    record = ClusterFolder(name).record()
    if record is None:
        driver = make(DEFAULT_DRIVER, {})
        return Cloud([Group(MASTER, 1, driver), Group(WORKER, 1, driver)], name=name)
    drivers = _drivers(record)
    return Cloud([Group(g.tag, g.count, drivers[g.tag]) for g in record.groups], name=name)


def _drivers(record: Record) -> dict[str, Driver]:
    """Return a driver for each group; groups that are made alike share one."""
    made: list[tuple[GroupRecord, Driver]] = []
    found: dict[str, Driver] = {}
    for group in record.groups:
        alike = (d for g, d in made if (g.driver, g.options) == (group.driver, group.options))
        driver = next(alike, None) or _make(record.name, group)
        made.append((group, driver))
        found[group.tag] = driver
    return found


def _make(cluster: str, group: GroupRecord) -> Driver:
    if not group.driver:
        raise InvalidInput(
            f"the driver of cluster '{cluster}' is known only to the program that launched it",
            fix="use that program, or offer its driver as an entry point 'tinycloud.drivers'",
        )
    return make(group.driver, group.options)


def choose_driver(
    record: Record | None, driver: str | None, options: Mapping[str, object]
) -> tuple[str, dict[str, object], str]:
    """Return the name and the options of the driver to launch with, and why it is that one."""
    recorded = record.groups[0] if record and record.groups else None
    if recorded is not None and driver in (None, recorded.driver):
        return recorded.driver, {**recorded.options, **options}, "as it was launched before"
    if driver is not None:
        return driver, dict(options), "as --driver says"
    if "key" in options:
        return "aws", dict(options), "since -k names an EC2 key pair"
    return DEFAULT_DRIVER, dict(options), "the default: neither --driver nor -k was given"


def to_launch(
    name: str,
    workers: int | None,
    driver: Driver,
    record: Record | None,
    authorize: Sequence[str],
    setup: str | None,
) -> Cloud:
    """Return the cluster to launch: one master, and as many workers as asked for or recorded."""
    recorded = {group.tag: group.count for group in record.groups} if record else {}
    count = recorded.get(WORKER, 1) if workers is None else workers
    others = [tag for tag in recorded if tag not in (MASTER, WORKER)]
    sizes = {MASTER: 1, WORKER: count, **{tag: recorded[tag] for tag in others}}
    groups = [Group(tag, size, driver, setup=setup) for tag, size in sizes.items()]
    return Cloud(groups, name=name, authorize=authorize)
