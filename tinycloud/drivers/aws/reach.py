"""Why a node can't be reached: what EC2 knows of it, compared with what it takes.

Each question is a plain function of what EC2 answered; the likeliest cause comes first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...driver import Reason
from ...errors import TinycloudError
from ...node import Node
from ...text import printable
from .allowing import Permission, lets_in, networks, rules
from .asking import Ask, every, filters
from .image import likely_username

TAIL_LINES, TAIL_LENGTH = 3, 300
"""How much of a console is shown: its last lines, as a node may have been made to print them."""

Instance = Mapping[str, Any]


async def explain(
    ask: Ask, node: Node, *, cluster: str, group_id: str | None, address: str | None
) -> tuple[Reason, ...]:
    """Return why this node may not be reached.

    `group_id` is the cluster's security group, `address` ours as the world sees it; what
    is not known of those is passed over.
    """
    found = await every(
        ask, "describe_instances", "Reservations", Filters=filters(instance_id=node.id)
    )
    instance = next((one for some in found for one in some["Instances"]), None)
    if instance is None:
        return (Reason("EC2 knows no such instance any more", f"tinycloud launch {cluster}"),)
    halted = of_state(instance, cluster)
    if halted is not None:
        return (halted,)
    reasons: list[Reason | None] = []
    if group_id is not None and address is not None:
        reasons.append(of_rules(await rules(ask, group_id), address, node.port, cluster))
    reasons.append(of_address(instance))
    tables = await _route_tables(ask, instance)
    reasons.append(of_routes(tables, instance.get("SubnetId", "")))
    reasons.append(of_user(await _image(ask, instance), node.username, cluster))
    reasons.append(await _of_console(ask, node))
    return tuple(reason for reason in reasons if reason is not None)


def of_state(instance: Instance, cluster: str) -> Reason | None:
    """Return the reason if the instance does not run."""
    state = instance.get("State", {}).get("Name", "unknown")
    if state in ("pending", "running"):
        return None
    told = instance.get("StateReason", {}).get("Message") or instance.get("StateTransitionReason")
    said = f": {printable(told)[:TAIL_LENGTH]}" if told else ""
    verb = "start" if state.startswith("stop") else "launch"
    return Reason(f"the instance is {state}{said}", f"tinycloud {verb} {cluster}")


def of_rules(
    permissions: Sequence[Permission], address: str, port: int, cluster: str
) -> Reason | None:
    """Return the reason if the rules of the cluster don't let us in from where we are."""
    if lets_in(permissions, address, port):
        return None
    allowed = ", ".join(networks(permissions, port)) or "nobody"
    return Reason(
        f"your address is {address}, and the rules of the cluster let in {allowed}",
        f"tinycloud allow {cluster}",
        shared=True,
    )


def of_address(instance: Instance) -> Reason | None:
    """Return the reason if the instance has no public address."""
    if instance.get("PublicIpAddress"):
        return None
    return Reason(
        "the instance has no public address",
        "launch into a subnet that gives public addresses (--subnet), or reach the nodes over "
        "a machine that is inside (--via)",
        shared=True,
    )


def of_routes(tables: Iterable[Mapping[str, Any]], subnet: str) -> Reason | None:
    """Return the reason if nothing leads from the subnet to the world; no table is no answer."""
    known = tuple(tables)
    own = [table for table in known if _is_of(table, subnet)]
    main = [table for table in known if _is_main(table)]
    chosen = own or main
    if not chosen or any(_leads_out(route) for table in chosen for route in table["Routes"]):
        return None
    return Reason(
        f"no route leads from subnet {subnet} to an internet gateway",
        "add one (0.0.0.0/0 to the gateway of the VPC), or take a public subnet (--subnet)",
        shared=True,
    )


def _is_of(table: Mapping[str, Any], subnet: str) -> bool:
    return any(one.get("SubnetId") == subnet for one in table.get("Associations", ()))


def _is_main(table: Mapping[str, Any]) -> bool:
    return any(one.get("Main") for one in table.get("Associations", ()))


def _leads_out(route: Mapping[str, Any]) -> bool:
    everywhere = route.get("DestinationCidrBlock") == "0.0.0.0/0"
    gateway = str(route.get("GatewayId", ""))
    return everywhere and gateway.startswith("igw-") and route.get("State") != "blackhole"


def of_user(image: Mapping[str, Any], username: str, cluster: str) -> Reason | None:
    """Return the reason if images that are called so have another user than we log in as."""
    likely = likely_username(image)
    if likely in (None, username):
        return None
    return Reason(
        f"image {image.get('ImageId')} ({printable(str(image.get('Name')))[:TAIL_LENGTH]}) "
        f"has user {likely}, and we log in as {printable(username)}",
        f"destroy the cluster, and launch it with --user {likely}",
        shared=True,
    )


async def _image(ask: Ask, instance: Instance) -> Mapping[str, Any]:
    try:
        answer = await ask("describe_images", ImageIds=[instance.get("ImageId", "")])
    except TinycloudError:
        return {}
    found: Mapping[str, Any] = next(iter(answer.get("Images", ())), {})
    return found


async def _route_tables(ask: Ask, instance: Instance) -> list[Mapping[str, Any]]:
    wanted = filters(vpc_id=instance.get("VpcId", ""))
    try:
        return await every(ask, "describe_route_tables", "RouteTables", Filters=wanted)
    except TinycloudError:  # who may not look is told the rest
        return []


async def _of_console(ask: Ask, node: Node) -> Reason | None:
    try:
        answer = await ask("get_console_output", InstanceId=node.id, Latest=True)
    except TinycloudError:
        return None
    return of_console(answer.get("Output", ""))


def of_console(output: str) -> Reason | None:
    """Return what a machine printed last, which its makers and users may have chosen."""
    tail = console_tail(output)
    if not tail:
        return None
    return Reason(f"its console ends: {tail}")


def console_tail(output: str) -> str:
    """Return the last lines of a console, which botocore has decoded, made harmless."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(printable(line) for line in lines[-TAIL_LINES:])[-TAIL_LENGTH:]
