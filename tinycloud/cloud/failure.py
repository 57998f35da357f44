"""What a launch that failed says."""

from collections.abc import Collection, Mapping

from ..driver import Group
from ..errors import LaunchFailed, ResourcesRemain, TinycloudError


def still_there(cluster: str, names: Collection[str], cause: str) -> ResourcesRemain:
    """Return the error that names what could not be destroyed."""
    return ResourcesRemain(
        f"still there: {', '.join(names)}",
        cause=cause,
        fix=f"tinycloud destroy {cluster}",
        remaining=tuple(names),
    )


def launch_failed(
    cluster: str,
    groups: Collection[Group],
    failures: Mapping[str, TinycloudError],
    remaining: tuple[str, ...] = (),
) -> LaunchFailed:
    """Return the error that says what did not come up, why the first did not, and what is left."""
    name, first = next(iter(failures.items()))
    cause = f"{first}" if name in str(first) else f"{name}: {first}"
    left = f"; still there: {', '.join(remaining)}" if remaining else ""
    return LaunchFailed(
        f"{_amount(groups, failures)} of '{cluster}' did not come up",
        cause=cause + left,
        fix=f"tinycloud destroy {cluster}" if remaining else first.fix or "launch again",
        failures=failures,
        remaining=remaining,
    )


def _amount(groups: Collection[Group], failures: Mapping[str, TinycloudError]) -> str:
    whole = [name for name in failures if name in {f"group {group.tag}" for group in groups}]
    nodes = len(failures) - len(whole)
    return f"{nodes} of {sum(g.count for g in groups)} nodes" if nodes else ", ".join(whole)
