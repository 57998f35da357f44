"""What the command line says about machines that exist already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ..cloud import Cloud
from ..driver import Driver
from ..drivers.hosts import Hosts
from ..errors import InvalidInput

ADDRESSES = "addresses"

HostSets = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        help="Machines that exist already, as in 10.0.0.[1-8]; may be repeated.",
        metavar="HOSTS",
    ),
]
User = Annotated[str | None, typer.Option("--user", help="User to log in as.", metavar="USER")]
KnownHosts = Annotated[
    Path | None,
    typer.Option(
        "--known-hosts",
        help="Their host keys; by default those that ssh knows.",
        metavar="FILE",
        readable=False,
    ),
]
AcceptNew = Annotated[
    bool, typer.Option("--accept-new", help="Trust hosts of which no key is known, from now on.")
]
Via = Annotated[
    str | None,
    typer.Option("--via", help="Reach nodes over this machine.", metavar="USER@HOST[:PORT]"),
]


def options(
    hosts: list[str] | None, user: str | None, known_hosts: Path | None
) -> dict[str, object]:
    """Return what to make the driver of these hosts with, where something was said of it."""
    return {
        ADDRESSES: hosts or None,
        "username": user,
        "known_hosts": None if known_hosts is None else str(known_hosts.absolute()),
    }


def check(driver: str, options: Mapping[str, object]) -> None:
    """Raise `InvalidInput` if it is not said which hosts there are."""
    if driver == Hosts.name and ADDRESSES not in options:
        raise InvalidInput(
            "driver 'hosts' needs hosts", fix="name them, as in: --host '10.0.0.[1-8]'"
        )


def left_over(driver: Driver, others: int) -> int:
    """Return how many hosts there are beside those that others take."""
    return max(0, len(driver.hosts) - others) if isinstance(driver, Hosts) else 0


def check_use(cloud: Cloud, authorize: object, keyfile: Path | None) -> None:
    """Raise `InvalidInput` if a key was given that nothing would be done with."""
    made = [group.driver.makes_machines for group in cloud.groups]
    if authorize and not any(made):
        raise InvalidInput(
            "hosts that exist already are not told to accept a key",
            fix="leave --authorize out, and put the key there with ssh-copy-id",
        )
    if keyfile and all(made) and not any(group.via for group in cloud.groups):
        raise InvalidInput(
            "-i has no use in this launch",
            cause="the nodes will accept the cluster's own key",
            fix="leave it out; --authorize has them accept another one too",
        )


def word(cloud: Cloud, done: str) -> str:
    """Return what was done to the nodes: not much, if they are none of our making."""
    if any(group.driver.makes_machines for group in cloud.groups):
        return done
    return {"destroyed": "forgotten", "stopped": "taken for stopped"}.get(done, done)
