"""Exit codes: what a script can tell from the outside."""

from collections.abc import Iterable

from .. import errors
from ..result import State

OK = 0
COMMAND_FAILED = 1
BAD_INPUT = 2
UNREACHABLE = 5
UNTRUSTED = 6
MACHINE = 7
RESOURCES_REMAIN = 8
BUG = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + SIGPIPE, as of a program that the signal ends."""

_BY_ERROR: tuple[tuple[type[errors.TinycloudError], int], ...] = (
    (errors.InvalidInput, BAD_INPUT),
    (errors.NoSuchCluster, 3),
    (errors.ClusterExists, 3),
    (errors.ClusterBusy, 3),
    (errors.ProviderError, 4),
    (errors.Unreachable, UNREACHABLE),
    (errors.Untrusted, UNTRUSTED),
    (errors.MachineError, MACHINE),
    (errors.ResourcesRemain, RESOURCES_REMAIN),
    (errors.CommandFailed, COMMAND_FAILED),
)

_BY_STATE = {
    State.OK: OK,
    State.FAILED: COMMAND_FAILED,
    State.SIGNALLED: COMMAND_FAILED,
    State.SKIPPED: COMMAND_FAILED,
    State.TIMEOUT: UNREACHABLE,
    State.UNREACHABLE: UNREACHABLE,
    State.LOST: UNREACHABLE,
    State.GONE: UNREACHABLE,
    State.UNTRUSTED: UNTRUSTED,
}

_WORST_FIRST = (RESOURCES_REMAIN, UNTRUSTED, UNREACHABLE, MACHINE, 4, COMMAND_FAILED, BAD_INPUT, 3)


def of_error(error: errors.TinycloudError) -> int:
    """Return the exit code of an error of ours."""
    if isinstance(error, errors.LaunchFailed):
        codes = [of_error(failure) for failure in error.failures.values()]
        return worst([*codes, RESOURCES_REMAIN] if error.remaining else codes) or 4
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), BUG)


def of_states(states: Iterable[State]) -> int:
    """Return the exit code of a command that ended so on its nodes."""
    return worst([_BY_STATE[state] for state in states])


def worst(codes: Iterable[int]) -> int:
    """Return the code that counts if several hold."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), OK)
