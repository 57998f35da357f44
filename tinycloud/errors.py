"""Every error that tinycloud raises on purpose.

TinycloudError            the root: WHAT went wrong, its CAUSE, and the FIX
 ├─ InvalidInput          what was asked makes no sense; nothing was touched
 ├─ NoSuchCluster         no cluster of that name is known
 ├─ ClusterExists         a cluster of that name exists, and is of another kind
 ├─ ClusterBusy           another process is at work on the cluster
 ├─ ProviderError         the provider of the machines refused
 ├─ Unreachable           a node can't be reached, or doesn't let us in
 │   └─ ConnectionLost    it could, and then the connection died
 ├─ Untrusted             a host could not prove its identity
 ├─ MachineError          this machine fails us: disk, permissions, descriptors
 ├─ ResourcesRemain       something that may cost money is still there
 ├─ LaunchFailed          some nodes did not come up; carries what happened to each
 └─ CommandFailed         raised by `Results.check()`; carries the results
"""

from collections.abc import Mapping


class TinycloudError(Exception):
    """Say what went wrong (`what`), why (`cause`, may be empty) and how to mend it (`fix`)."""

    def __init__(self, what: str, *, cause: str = "", fix: str = "") -> None:
        super().__init__(what, cause, fix)
        self.what = what
        self.cause = cause
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} ({self.cause})" if self.cause else self.what


class InvalidInput(TinycloudError):
    """What was asked makes no sense; nothing was touched."""


class NoSuchCluster(TinycloudError):
    """No cluster of that name is known."""


class ClusterExists(TinycloudError):
    """A cluster of that name exists, and is of another kind."""


class ClusterBusy(TinycloudError):
    """Another process is at work on the cluster."""


class ProviderError(TinycloudError):
    """The provider of the machines refused, or failed."""


class Unreachable(TinycloudError):
    """A node can't be reached, or doesn't let us in.

    `transient` is whether time alone may mend that, as while a node boots; `reason`
    is the kind of cause in a word, such as `auth`, `refused` or `throttled`.
    """

    def __init__(
        self,
        what: str,
        *,
        cause: str = "",
        fix: str = "",
        transient: bool = False,
        reason: str = "unreachable",
    ) -> None:
        super().__init__(what, cause=cause, fix=fix)
        self.transient = transient
        self.reason = reason


class ConnectionLost(Unreachable):
    """The connection to a node died while it was in use."""


class Untrusted(TinycloudError):
    """A host could not prove its identity, so nothing was sent to it."""


class MachineError(TinycloudError):
    """The machine we run on fails us: disk, permissions, processes or descriptors."""


class ResourcesRemain(TinycloudError):
    """Something that may cost money is still there; `remaining` names it."""

    def __init__(
        self, what: str, *, cause: str = "", fix: str = "", remaining: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what, cause=cause, fix=fix)
        self.remaining = remaining


class LaunchFailed(TinycloudError):
    """Some nodes did not come up.

    `failures` maps the name of each node that failed (of a whole group, where
    its driver failed) to the error; `remaining` names what could not be undone.
    """

    def __init__(
        self,
        what: str,
        *,
        cause: str = "",
        fix: str = "",
        failures: Mapping[str, TinycloudError],
        remaining: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, cause=cause, fix=fix)
        self.failures = dict(failures)
        self.remaining = remaining


class CommandFailed(TinycloudError):
    """A command did not end well on every node; `results` holds all of them."""

    def __init__(self, what: str, *, cause: str = "", fix: str = "", results: tuple[object, ...]):
        super().__init__(what, cause=cause, fix=fix)
        self.results = results
