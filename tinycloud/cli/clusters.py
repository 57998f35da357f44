"""Clusters that are known here, made into a Cloud again."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..cloud import Cloud
from ..driver import Driver, Group
from ..drivers import make
from ..errors import InvalidInput, NoSuchCluster
from ..group import checked_name
from ..store import ClusterFolder, GroupRecord, Record

DEFAULT_DRIVER = "local"
MASTER, WORKER = "master", "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where to look for a cluster that is not known here: what the user says of it."""

    driver: str | None = None
    region: str | None = None

    def options(self) -> dict[str, object]:
        """Return what to make the driver with."""
        return {} if self.region is None else {"region": self.region}

    def made(self) -> Driver:
        """Return the driver, by default that of `launch`."""
        return make(self.driver or DEFAULT_DRIVER, self.options())

    def check(self, name: str, groups: Iterable[GroupRecord]) -> None:
        """Raise `InvalidInput` if the user means another cluster than the one that is known."""
        for group in groups:
            region = group.options.get("region")
            other = self.driver not in (None, group.driver)
            if other or (self.region is not None and region not in (None, self.region)):
                where = f" in {region}" if region else ""
                raise InvalidInput(
                    f"cluster '{name}' is another one here",
                    cause=f"its group '{group.tag}' is of driver '{group.driver}'{where}",
                    fix="set TINYCLOUD_STATE_DIR to an empty folder for the one that you mean",
                )


def known(
    name: str,
    tag: str | None = None,
    *,
    to_connect: bool = False,
    at: Whereabouts = Whereabouts(),
) -> Cloud:
    """Return the cluster as it is recorded.

    Without a record its machines may still be there: then it is taken for what
    `launch` makes, and its driver, which is `at` where the user says, knows. Raises
    `InvalidInput` for names that nothing can have, and, if it is `to_connect`, for
    damaged keys.
    """
    folder = ClusterFolder(name)
    if tag is not None:
        checked_name(tag, "tag")
    record = folder.record()
    if to_connect:
        folder.check_keys()
    if record is None:
        driver = at.made()
        tags = dict.fromkeys([MASTER, WORKER] + ([tag] if tag and at.driver else []))
        return Cloud([Group(one, 1, driver) for one in tags], name=name)
    at.check(name, record.groups)
    drivers = drivers_of(record)
    groups = [
        Group(g.tag, g.count, drivers[g.tag], setup=g.setup, ttl=g.ttl, via=g.via)
        for g in record.groups
    ]
    return Cloud(groups, name=name, authorize=record.authorize)


def drivers_of(record: Record) -> dict[str, Driver]:
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


def check_known(name: str, found: object) -> None:
    """Raise `NoSuchCluster` if nothing was found of a cluster that has no record either."""
    if not found and ClusterFolder(name).record() is None:
        raise NoSuchCluster(
            f"no cluster '{name}'", fix="'tinycloud list' shows those that are known here"
        )
